"""Malformed requests: a clear 4xx, or a polite END for USSD; never 5xx, nothing stored."""

import random
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.failures import BadRequest
from gateway.http import decoding
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

WEBHOOK_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
FORM = {"Content-Type": decoding.FORM_CONTENT_TYPE}
VALID_FORM = {
    "sessionId": "s",
    "serviceCode": "*100#",
    "phoneNumber": "+40740000101",
    "networkCode": "99999",
    "text": "",
}

MALFORMED = {
    "wrong content type": ("application/json", b'{"sessionId": "s"}', 415),
    "no content type": ("application/octet-stream", urlencode(VALID_FORM).encode(), 415),
    "multipart without boundary": ("multipart/form-data", b"--x", 415),
    "charset that smuggles": (
        f"{decoding.FORM_CONTENT_TYPE}; charset=utf-7",
        urlencode(VALID_FORM).encode(),
        415,
    ),
    "charset nobody knows": (
        f"{decoding.FORM_CONTENT_TYPE}; charset=klingon",
        urlencode(VALID_FORM).encode(),
        415,
    ),
    "bytes that are no UTF-8": (decoding.FORM_CONTENT_TYPE, b"sessionId=\xff\xfe", 400),
    "escapes that are no UTF-8": (decoding.FORM_CONTENT_TYPE, b"sessionId=%ff%fe", 400),
    "a NUL": (decoding.FORM_CONTENT_TYPE, b"sessionId=a%00b&phoneNumber=%2B40740000101", 400),
    "a field twice": (decoding.FORM_CONTENT_TYPE, b"sessionId=a&sessionId=b&phoneNumber=%2B40740000101", 400),
    "two hundred fields": (decoding.FORM_CONTENT_TYPE, "&".join(f"f{n}=1" for n in range(200)).encode(), 400),
    "a field of 5,000 characters": (
        decoding.FORM_CONTENT_TYPE,
        urlencode(VALID_FORM | {"text": "1" * 5000}).encode(),
        400,
    ),
    "a body of 1 MB": (decoding.FORM_CONTENT_TYPE, b"text=" + b"1" * 1_000_000, 413),
}


@pytest.fixture
async def url(sandbox: GatewaySandbox) -> AsyncIterator[str]:
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def post_form(
    url: str, data: bytes | dict[str, str], content_type: str = decoding.FORM_CONTENT_TYPE
) -> tuple[int, str]:
    body = urlencode(data).encode() if isinstance(data, dict) else data
    async with (
        ClientSession() as client,
        client.post(url, data=body, headers={"Content-Type": content_type}) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_requests_get_a_clear_4xx(case: str, url: str, sandbox: GatewaySandbox) -> None:
    content_type, body, expected = MALFORMED[case]
    before = await sandbox.count_effects()
    status, words = await post_form(f"{url}{WEBHOOK_PATH}/ussd", body, content_type)
    assert status == expected and words.strip()
    assert await sandbox.count_effects() == before


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "klingon"])
async def test_T25_a_content_encoding_is_refused(encoding: str, url: str) -> None:
    headers = FORM | {"Content-Encoding": encoding}
    body = urlencode(VALID_FORM).encode()
    async with (
        ClientSession() as client,
        client.post(f"{url}{WEBHOOK_PATH}/ussd", data=body, headers=headers) as answer,
    ):
        assert answer.status == 415


@pytest.mark.parametrize("missing", ["sessionId", "phoneNumber"])
async def test_a_ussd_request_without_its_fields_ends_politely(
    missing: str, url: str, sandbox: GatewaySandbox
) -> None:
    fields = {name: value for name, value in VALID_FORM.items() if name != missing}
    status, words = await post_form(f"{url}{WEBHOOK_PATH}/ussd", fields)
    assert status == 200 and words.startswith("END Serviciul nu raspunde acum.")


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/nobody/africastalking/hook-token/ussd",
        "/hooks/orange-ro/africastalking/wrong/ussd",
        "/hooks/orange-ro/africastalking/ussd",
        "/hooks/orange-ro/africastalking/hook-token/fax",
        "/hooks/orange-ro/nobody/hook-token/ussd",
        "/hooks/orange-ro/twilio/token/sms",
    ],
)
async def test_unknown_places_are_all_the_same_404(path: str, url: str) -> None:
    assert await post_form(url + path, VALID_FORM) == (404, "no such endpoint\n")


async def test_an_unsigned_twilio_request_is_403(url: str) -> None:
    status, _ = await post_form(
        f"{url}/hooks/orange-ro/twilio/sms", {"MessageSid": "SM1", "From": "+40740000101"}
    )
    assert status == 403


async def test_missing_fields_of_a_report_are_400(url: str) -> None:
    status, words = await post_form(f"{url}{WEBHOOK_PATH}/sms-report", {"status": "Success"})
    assert (status, words) == (400, "the field id is missing\n")


async def test_anothers_session_id_finds_nothing(url: str) -> None:
    await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM)
    await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM | {"text": "1"})
    _, theirs = await post_form(
        f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM | {"phoneNumber": "+40740000102", "text": ""}
    )
    assert theirs.startswith("CON Welcome to Orange!")


async def test_digits_of_another_script_select_options(url: str) -> None:
    await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM)
    _, words = await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM | {"text": "١"})
    assert words.startswith("CON Buget")


@pytest.mark.parametrize("text", ["1*", "9", "²", "1*1*", "abc", "*", "**", "1" * 300])
async def test_odd_answers_get_a_screen(text: str, url: str) -> None:
    await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM)
    status, words = await post_form(f"{url}{WEBHOOK_PATH}/ussd", VALID_FORM | {"text": text})
    assert status == 200 and words[:4] in ("CON ", "END ")


async def test_two_thousand_garbage_bodies_cause_no_5xx(url: str) -> None:
    dice = random.Random(1)
    async with ClientSession() as client:
        for _ in range(2000):
            async with client.post(
                f"{url}{WEBHOOK_PATH}/ussd", data=dice.randbytes(60), headers=FORM
            ) as answer:
                assert answer.status in (200, 400)


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "latin-1", "utf-7", "x"]))
def test_the_decoder_accepts_or_refuses_any_bytes(data: bytes, charset: str | None) -> None:
    try:
        fields = decoding.decode_form(data, decoding.FORM_CONTENT_TYPE, charset)
    except BadRequest as bad:
        assert 400 <= bad.status < 500
    else:
        assert all("\x00" not in value for value in fields.values())


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1),
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
        max_size=60,
    )
)
def test_what_a_client_encodes_is_what_is_read(fields: dict[str, str]) -> None:
    assert decoding.decode_form(urlencode(fields).encode(), decoding.FORM_CONTENT_TYPE, None) == fields
