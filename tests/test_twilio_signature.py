"""Twilio's request signature: the vendor's test vectors, its pitfalls, and what it does not prove."""

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from flows.domain.failures import BadRequest
from gateway.providers import twilio
from gateway.providers._twilio.signature import Keys, genuine
from gateway.providers.contract import Connection, Raw, Webhook

TOKEN, HOST, TARGET = "12345", "https://mycompany.com", "/myapp.php?foo=1&bar=2"
FORM = "application/x-www-form-urlencoded"
BODY = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
SHA256 = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
JSON = b'{"property": "value", "boolean": true}'
JSON_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
KEYS = Keys((TOKEN,), {"wh_1": TOKEN})


def raw(
    signature: str = SIGNATURE,
    body: bytes = BODY,
    target: str = TARGET,
    kind: str = FORM,
    more: Mapping[str, str] | None = None,
) -> Raw:
    headers = {"Content-Type": kind, "X-Twilio-Signature": signature, **(more or {})}
    return Raw(target, headers, body)


def decoded(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def accepted(request: Raw, public_url: str = HOST, keys: Keys = KEYS) -> bool:
    is_form = FORM in request.headers.get("Content-Type", FORM)
    return genuine(request, decoded(request.body) if is_form else {}, public_url, keys)


def signed(body: bytes, target: str = TARGET, token: str = TOKEN) -> Raw:
    pairs = MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
    return raw(RequestValidator(token).compute_signature(HOST + target, pairs), body, target)


SHARED = {"X-Twilio-Webhooks-Signature-Settings": "key=wh_1,algorithm=HMAC_SHA256"}
SMS = (
    b"ToCountry=FR&ToState=&SmsMessageSid=SM11111111111111111111111111111111&NumMedia=0&ToCity=&FromZip="
    b"&SmsSid=SM11111111111111111111111111111111&FromState=&SmsStatus=received&FromCity=&Body=FACT+4821"
    b"&FromCountry=FR&To=%2B33700000477&ToZip=&NumSegments=1&MessageSid=SM11111111111111111111111111111111"
    b"&AccountSid=AC00000000000000000000000000000000&From=%2B33600000001&ApiVersion=2010-04-01"
)
VECTORS = {
    "the SDK's own": (raw(), HOST),
    "port in the public URL, signed without": (raw(), f"{HOST}:443"),
    "https, signed with port 443": (raw("kvajT1Ptam85bY51eRf/AJRuM3w="), HOST),
    "http, signed with port 80": (raw("0ZXoZLH/DfblKGATFgpif+LLRf4="), "http://mycompany.com"),
    "port 1234": (raw("Zmvh+3yNM1Phv2jhDCwEM3q5ebU="), "http://mycompany.com:1234"),
    "blank fields count": (raw("cs5QoVRoZCgRz5PrKFaMVjQpXjk=", SMS, "/twilio/sms"), "https://gw.example"),
    "escapes kept as they came": (
        raw("XUPPG/ZH95NffY6+HLEmMUyTKDs=", target="/twilio/voice?s=%7Emain&in=%2A1"),
        "https://gw.example",
    ),
    "no second slash after the public URL": (raw(), f"{HOST}/"),
    "a charset after the content type": (raw(kind=f"{FORM}; charset=UTF-8"), HOST),
    "JSON, its hash in the URL": (
        raw("a9nBmqA0ju/hNViExpshrM61xv4=", JSON, f"{TARGET}&bodySHA256={JSON_HASH}", "application/json"),
        HOST,
    ),
    "a shared key": (raw(SHA256, more=SHARED), HOST),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_accepted(name: str) -> None:
    request, public_url = VECTORS[name]
    assert accepted(request, public_url)


REFUSED = {
    "another body": raw(body=BODY.replace(b"1234&", b"1235&")),
    "a field more": raw(body=BODY + b"&Extra=1"),
    "a blank field less": raw("cs5QoVRoZCgRz5PrKFaMVjQpXjk=", SMS.replace(b"ToState=&", b""), "/twilio/sms"),
    "another query": raw(target="/myapp.php?foo=1&bar=3"),
    "a trailing slash": raw(target="/myapp.php/?foo=1&bar=2"),
    "a bare question mark": raw(target=TARGET + "?"),
    "a fragment": raw(target=TARGET + "#rc=2"),
    "no signature": raw(""),
    "not base64": raw("****************************"),
    "not ASCII": raw("é" * 28),
    "a control character": raw(SIGNATURE + "\n"),
    "10 kB": raw("A" * 10_240),
    "another letter case": raw(SIGNATURE.swapcase()),
    "JSON without its hash": raw("a9nBmqA0ju/hNViExpshrM61xv4=", JSON, TARGET, "application/json"),
    "JSON with another hash": raw(
        "a9nBmqA0ju/hNViExpshrM61xv4=", JSON + b" ", f"{TARGET}&bodySHA256={JSON_HASH}", "application/json"
    ),
    "a form called JSON": raw(kind="application/json"),
    "bytes that are no UTF-8": raw(body=b"Body=%FF"),
    "raw bytes above ASCII": raw(body="Body=é".encode()),
    "a thousand fields": raw(body=b"&".join(b"a%d=1" % number for number in range(1000))),
    "a surrogate in the path": raw(target="/\udce9"),
    "an unknown key": raw(SHA256, more={"X-Twilio-Webhooks-Signature-Settings": "key=wh_2"}),
    "no key named": raw(SHA256, more={"X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_SHA256"}),
    "SHA-1 wished for a shared key": raw(
        SIGNATURE, more={"X-Twilio-Webhooks-Signature-Settings": "key=wh_1,algorithm=HMAC_SHA1"}
    ),
    "SHA-1 sent for a shared key": raw(SIGNATURE, more=SHARED),
    "SHA-256 without naming a key": raw(SHA256),
    "a blank settings header": raw(more={"X-Twilio-Webhooks-Signature-Settings": ""}),
    "two signatures": raw(more={"x-twilio-signature": SIGNATURE}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_raises_nothing(name: str) -> None:
    assert not accepted(REFUSED[name])


@pytest.mark.parametrize("public_url", ["https://other.example", "http://mycompany.com", "https://x:y:z"])
def test_only_our_own_public_url_counts(public_url: str) -> None:
    assert not accepted(raw(more={"X-Forwarded-Host": "mycompany.com", "Host": "mycompany.com"}), public_url)


def test_a_missing_header_is_refused() -> None:
    assert not genuine(Raw(TARGET, {"Content-Type": FORM}, BODY), decoded(BODY), HOST, KEYS)


@pytest.mark.parametrize("keys", [Keys((), {}), Keys(("",), {"wh_1": ""})])
def test_without_a_secret_nothing_is_genuine(keys: Keys) -> None:
    assert not accepted(raw(), keys=keys)
    assert not accepted(raw(SHA256, more=SHARED), keys=keys)
    assert not accepted(signed(BODY, token=""), keys=keys)


def test_both_tokens_count_while_one_is_being_changed() -> None:
    keys = Keys(("new", TOKEN), {})
    assert accepted(raw(), keys=keys)
    assert accepted(signed(BODY, token="new"), keys=keys)
    assert not accepted(signed(BODY, token="older"), keys=keys)


def test_what_is_read_must_be_what_was_signed() -> None:
    assert not genuine(raw(), decoded(BODY) | {"Digits": "9"}, HOST, KEYS)


def test_a_get_is_signed_by_its_url_alone() -> None:
    assert accepted(Raw(TARGET, signed(b"").headers, b""))


FIELDS = st.lists(
    st.tuples(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True), st.text(max_size=12)), max_size=6
)


@given(FIELDS)
def test_every_form_signs_as_the_sdk_signs_it(fields: list[tuple[str, str]]) -> None:
    safe = [(name, value.encode(errors="replace").decode()) for name, value in fields]
    assert accepted(signed(urlencode(safe).encode()))


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_flipped_byte_passes_with_another_meaning(place: int, bits: int) -> None:
    body = bytearray(BODY)
    body[place] ^= bits
    same = parse_qsl(bytes(body).decode("latin-1"), keep_blank_values=True) == parse_qsl(BODY.decode())
    assert accepted(raw(body=bytes(body))) is same


def test_repeats_are_signed_once_and_left_to_the_guard() -> None:
    body = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"
    assert accepted(raw("IK+Dwps556ElfBT0I3Rgjkr1wJU=", body))


SETTINGS = twilio.Settings.model_validate({"account_sid": "AC0", "auth_token": TOKEN, "sender": "477"})
CONNECTION = Connection("orange-ro", SETTINGS, HOST, f"{HOST}/hooks/orange-ro/twilio", {}, {})

COLLISIONS = {
    "a field swallowed by the one before": (b"Body=PAY&From=%2B40700000101", b"Body=PAYFrom%2B40700000101"),
    "a letter moved from value to name": (
        b"Body=X1&From=%2B40700000101&MessageSid=SM1",
        b"BodyX=1&From=%2B40700000101&MessageSid=SM1",
    ),
    "a caller forged out of the text": (
        b"Body=1From%2B40700000999&From=%2B40700000101&MessageSid=SM1",
        b"Body=1&From=%2B40700000999&From%2B40700000101=&MessageSid=SM1",
    ),
}


@pytest.mark.parametrize("name", COLLISIONS)
def test_a_shifted_field_border_keeps_the_signature_and_is_refused_all_the_same(name: str) -> None:
    honest, forged = COLLISIONS[name]
    request = raw(signed(honest).headers["X-Twilio-Signature"], forged)
    form = decoded(forged)
    assert not accepted(request) or not readable(form)


def readable(form: Mapping[str, str]) -> bool:
    route = twilio.ROUTES["sms"]
    try:
        route.read(Webhook(form, {}), CONNECTION)
    except BadRequest:
        return False
    return all(name in form for name in route.required)


def settings(**more: object) -> twilio.Settings:
    return twilio.Settings.model_validate(
        {"account_sid": "AC0", "auth_token": "now", "sender": "+40700000477", **more}
    )


def test_shared_keys_leave_sha1_to_the_token_of_before() -> None:
    keys = {"wh_1": "shared"}
    assert settings().keys().tokens == ("now",)
    assert settings(old_auth_token="then").keys().tokens == ("now", "then")
    assert settings(shared_keys=keys).keys() == Keys((), keys)
    assert settings(shared_keys=keys, old_auth_token="now").keys() == Keys(("now",), keys)


def test_the_provider_checks_with_its_settings() -> None:
    assert twilio.authentic(raw(), decoded(BODY), CONNECTION)
    assert not twilio.authentic(raw(body=b"Body=1"), {"Body": "1"}, CONNECTION)


def test_the_json_hash_is_of_the_raw_bytes() -> None:
    assert hashlib.sha256(JSON).hexdigest() == JSON_HASH
