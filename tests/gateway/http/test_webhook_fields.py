"""Webhook fields: by GET, in another charset, and longer than what is read."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.http import decoding
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, GatewaySandbox

SMS_PATH = "/hooks/orange-ro/twilio/sms"
MESSAGE = {"AccountSid": "AC1", "MessageSid": "SM1", "From": "+40740000101", "To": "+15005550006"}
BILL_REQUEST = MESSAGE | {"Body": "FACTURA"}


@pytest.fixture
async def url(sandbox: GatewaySandbox) -> AsyncIterator[str]:
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def request(
    method: str, url: str, target: str, fields: dict[str, str] | None = None, *, forged: bool = False
) -> tuple[int, str]:
    """Send a webhook as Twilio signs it: a GET by its URL, a POST by its URL and fields."""
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + target, fields or {})
    headers = {"X-Twilio-Signature": "A" * 28 if forged else signature}
    if fields is not None:
        headers["Content-Type"] = decoding.FORM_CONTENT_TYPE
    body = urlencode(fields) if fields is not None else None
    async with (
        ClientSession() as client,
        client.request(method, url + target, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_message_sent_by_get_is_answered(url: str) -> None:
    status, text = await request("GET", url, f"{SMS_PATH}?{urlencode(BILL_REQUEST)}")
    assert status == 200 and "79,90" in text


async def test_a_forged_get_is_refused(url: str) -> None:
    status, _ = await request("GET", url, f"{SMS_PATH}?{urlencode(BILL_REQUEST)}", forged=True)
    assert status == 403


async def test_a_get_without_the_required_fields_is_refused(url: str) -> None:
    assert (await request("GET", url, SMS_PATH))[0] == 400


async def test_a_get_with_a_body_is_refused(url: str) -> None:
    assert (await request("GET", url, SMS_PATH, BILL_REQUEST))[0] == 400


async def test_a_provider_that_only_posts_is_not_asked_by_get(url: str) -> None:
    target = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd?sessionId=s&phoneNumber=%2B40740000101"
    assert (await request("GET", url, target))[0] == 405


async def test_a_long_field_that_is_not_read_does_no_harm(url: str) -> None:
    status, text = await request("POST", url, SMS_PATH, BILL_REQUEST | {"AddOns": "x" * 20_000})
    assert status == 200 and "79,90" in text


async def test_a_long_field_that_is_read_is_refused(url: str) -> None:
    status, text = await request("POST", url, SMS_PATH, MESSAGE | {"Body": "x" * 5_000})
    assert status == 400 and "Body is too long" in text


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin-1", "ISO-8859-1"])
def test_escapes_are_read_in_the_charset_of_the_body(charset: str) -> None:
    fields = decoding.decode_form(b"text=caf%E9&name=\xe9", decoding.FORM_CONTENT_TYPE, charset)
    assert fields == {"text": "café", "name": "é"}
