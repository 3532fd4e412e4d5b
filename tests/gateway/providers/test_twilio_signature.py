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
from gateway.providers._twilio.signature import SigningKeys, is_genuine
from gateway.providers.contract import Connection, RawRequest, Webhook

TOKEN, HOST, TARGET = "12345", "https://mycompany.com", "/myapp.php?foo=1&bar=2"
FORM = "application/x-www-form-urlencoded"
BODY = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
SHA256 = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
JSON = b'{"property": "value", "boolean": true}'
JSON_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
KEYS = SigningKeys((TOKEN,), {"wh_1": TOKEN})


def signed_request(
    signature: str = SIGNATURE,
    body: bytes = BODY,
    target: str = TARGET,
    kind: str = FORM,
    more: Mapping[str, str] | None = None,
) -> RawRequest:
    headers = {"Content-Type": kind, "X-Twilio-Signature": signature, **(more or {})}
    return RawRequest(target, headers, body)


def decode_form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def is_accepted(request: RawRequest, public_url: str = HOST, keys: SigningKeys = KEYS) -> bool:
    is_form = FORM in request.headers.get("Content-Type", FORM)
    return is_genuine(request, decode_form(request.body) if is_form else {}, public_url, keys)


def sign_body(body: bytes, target: str = TARGET, token: str = TOKEN) -> RawRequest:
    pairs = MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
    return signed_request(RequestValidator(token).compute_signature(HOST + target, pairs), body, target)


SHARED = {"X-Twilio-Webhooks-Signature-Settings": "key=wh_1,algorithm=HMAC_SHA256"}
SMS = (
    b"ToCountry=FR&ToState=&SmsMessageSid=SM11111111111111111111111111111111&NumMedia=0&ToCity=&FromZip="
    b"&SmsSid=SM11111111111111111111111111111111&FromState=&SmsStatus=received&FromCity=&Body=FACT+4821"
    b"&FromCountry=FR&To=%2B33700000477&ToZip=&NumSegments=1&MessageSid=SM11111111111111111111111111111111"
    b"&AccountSid=AC00000000000000000000000000000000&From=%2B33600000001&ApiVersion=2010-04-01"
)
VECTORS = {
    "the SDK's own": (signed_request(), HOST),
    "port in the public URL, signed without": (signed_request(), f"{HOST}:443"),
    "https, signed with port 443": (signed_request("kvajT1Ptam85bY51eRf/AJRuM3w="), HOST),
    "http, signed with port 80": (signed_request("0ZXoZLH/DfblKGATFgpif+LLRf4="), "http://mycompany.com"),
    "port 1234": (signed_request("Zmvh+3yNM1Phv2jhDCwEM3q5ebU="), "http://mycompany.com:1234"),
    "blank fields count": (
        signed_request("cs5QoVRoZCgRz5PrKFaMVjQpXjk=", SMS, "/twilio/sms"),
        "https://gw.example",
    ),
    "escapes kept as they came": (
        signed_request("XUPPG/ZH95NffY6+HLEmMUyTKDs=", target="/twilio/voice?s=%7Emain&in=%2A1"),
        "https://gw.example",
    ),
    "no second slash after the public URL": (signed_request(), f"{HOST}/"),
    "a charset after the content type": (signed_request(kind=f"{FORM}; charset=UTF-8"), HOST),
    "JSON, its hash in the URL": (
        signed_request(
            "a9nBmqA0ju/hNViExpshrM61xv4=", JSON, f"{TARGET}&bodySHA256={JSON_HASH}", "application/json"
        ),
        HOST,
    ),
    "a shared key": (signed_request(SHA256, more=SHARED), HOST),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_accepted(name: str) -> None:
    request, public_url = VECTORS[name]
    assert is_accepted(request, public_url)


REFUSED = {
    "another body": signed_request(body=BODY.replace(b"1234&", b"1235&")),
    "a field more": signed_request(body=BODY + b"&Extra=1"),
    "a blank field less": signed_request(
        "cs5QoVRoZCgRz5PrKFaMVjQpXjk=", SMS.replace(b"ToState=&", b""), "/twilio/sms"
    ),
    "another query": signed_request(target="/myapp.php?foo=1&bar=3"),
    "a trailing slash": signed_request(target="/myapp.php/?foo=1&bar=2"),
    "a bare question mark": signed_request(target=TARGET + "?"),
    "a fragment": signed_request(target=TARGET + "#rc=2"),
    "no signature": signed_request(""),
    "not base64": signed_request("****************************"),
    "not ASCII": signed_request("é" * 28),
    "a control character": signed_request(SIGNATURE + "\n"),
    "10 kB": signed_request("A" * 10_240),
    "another letter case": signed_request(SIGNATURE.swapcase()),
    "JSON without its hash": signed_request("a9nBmqA0ju/hNViExpshrM61xv4=", JSON, TARGET, "application/json"),
    "JSON with another hash": signed_request(
        "a9nBmqA0ju/hNViExpshrM61xv4=", JSON + b" ", f"{TARGET}&bodySHA256={JSON_HASH}", "application/json"
    ),
    "a form called JSON": signed_request(kind="application/json"),
    "bytes that are no UTF-8": signed_request(body=b"Body=%FF"),
    "raw bytes above ASCII": signed_request(body="Body=é".encode()),
    "a thousand fields": signed_request(body=b"&".join(b"a%d=1" % number for number in range(1000))),
    "a surrogate in the path": signed_request(target="/\udce9"),
    "an unknown key": signed_request(SHA256, more={"X-Twilio-Webhooks-Signature-Settings": "key=wh_2"}),
    "no key named": signed_request(
        SHA256, more={"X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_SHA256"}
    ),
    "SHA-1 wished for a shared key": signed_request(
        SIGNATURE, more={"X-Twilio-Webhooks-Signature-Settings": "key=wh_1,algorithm=HMAC_SHA1"}
    ),
    "SHA-1 sent for a shared key": signed_request(SIGNATURE, more=SHARED),
    "SHA-256 without naming a key": signed_request(SHA256),
    "a blank settings header": signed_request(more={"X-Twilio-Webhooks-Signature-Settings": ""}),
    "two signatures": signed_request(more={"x-twilio-signature": SIGNATURE}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_raises_nothing(name: str) -> None:
    assert not is_accepted(REFUSED[name])


@pytest.mark.parametrize("public_url", ["https://other.example", "http://mycompany.com", "https://x:y:z"])
def test_only_our_own_public_url_counts(public_url: str) -> None:
    assert not is_accepted(
        signed_request(more={"X-Forwarded-Host": "mycompany.com", "Host": "mycompany.com"}), public_url
    )


def test_a_missing_header_is_refused() -> None:
    assert not is_genuine(RawRequest(TARGET, {"Content-Type": FORM}, BODY), decode_form(BODY), HOST, KEYS)


@pytest.mark.parametrize("keys", [SigningKeys((), {}), SigningKeys(("",), {"wh_1": ""})])
def test_without_a_secret_nothing_is_genuine(keys: SigningKeys) -> None:
    assert not is_accepted(signed_request(), keys=keys)
    assert not is_accepted(signed_request(SHA256, more=SHARED), keys=keys)
    assert not is_accepted(sign_body(BODY, token=""), keys=keys)


def test_both_tokens_count_while_one_is_being_changed() -> None:
    keys = SigningKeys(("new", TOKEN), {})
    assert is_accepted(signed_request(), keys=keys)
    assert is_accepted(sign_body(BODY, token="new"), keys=keys)
    assert not is_accepted(sign_body(BODY, token="older"), keys=keys)


def test_what_is_read_must_be_what_was_signed() -> None:
    assert not is_genuine(signed_request(), decode_form(BODY) | {"Digits": "9"}, HOST, KEYS)


def test_a_get_is_signed_by_its_url_alone() -> None:
    assert is_accepted(RawRequest(TARGET, sign_body(b"").headers, b""))


FIELDS = st.lists(
    st.tuples(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True), st.text(max_size=12)), max_size=6
)


@given(FIELDS)
def test_every_form_signs_as_the_sdk_signs_it(fields: list[tuple[str, str]]) -> None:
    safe = [(name, value.encode(errors="replace").decode()) for name, value in fields]
    assert is_accepted(sign_body(urlencode(safe).encode()))


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_flipped_byte_passes_with_another_meaning(place: int, bits: int) -> None:
    body = bytearray(BODY)
    body[place] ^= bits
    same = parse_qsl(bytes(body).decode("latin-1"), keep_blank_values=True) == parse_qsl(BODY.decode())
    assert is_accepted(signed_request(body=bytes(body))) is same


def test_repeats_are_signed_once_and_left_to_the_guard() -> None:
    body = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"
    assert is_accepted(signed_request("IK+Dwps556ElfBT0I3Rgjkr1wJU=", body))


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
    request = signed_request(sign_body(honest).headers["X-Twilio-Signature"], forged)
    form = decode_form(forged)
    assert not is_accepted(request) or not is_readable(form)


def is_readable(form: Mapping[str, str]) -> bool:
    route = twilio.ROUTES["sms"]
    try:
        route.read(Webhook(form, {}), CONNECTION)
    except BadRequest:
        return False
    return all(name in form for name in route.required_fields)


def twilio_settings(**more: object) -> twilio.Settings:
    return twilio.Settings.model_validate(
        {"account_sid": "AC0", "auth_token": "now", "sender": "+40700000477", **more}
    )


def test_shared_keys_leave_sha1_to_the_token_of_before() -> None:
    keys = {"wh_1": "shared"}
    assert twilio_settings().signing_keys().auth_tokens == ("now",)
    assert twilio_settings(old_auth_token="then").signing_keys().auth_tokens == ("now", "then")
    assert twilio_settings(shared_keys=keys).signing_keys() == SigningKeys((), keys)
    assert twilio_settings(shared_keys=keys, old_auth_token="now").signing_keys() == SigningKeys(("now",), keys)


def test_the_provider_checks_with_its_settings() -> None:
    assert twilio.authentic(signed_request(), decode_form(BODY), CONNECTION)
    assert not twilio.authentic(signed_request(body=b"Body=1"), {"Body": "1"}, CONNECTION)


def test_the_json_hash_is_of_the_raw_bytes() -> None:
    assert hashlib.sha256(JSON).hexdigest() == JSON_HASH


@pytest.mark.parametrize(("field", "accepted"), [("DateSent", True), ("Cadence", True), ("Cadences", False)])
def test_a_new_field_behind_a_text_is_accepted_where_it_is_named(field: str, *, accepted: bool) -> None:
    settings = twilio_settings(auth_token=TOKEN, more_fields=["Cadence"])
    request = sign_body(f"Body=FACT&{field}=x&From=%2B40700000101&MessageSid=SM1".encode())
    connection = Connection("orange-ro", settings, HOST, f"{HOST}/hooks/orange-ro/twilio", {}, {})
    assert twilio.authentic(request, decode_form(request.body), connection) is accepted
