"""Threats to webhooks: forged, replayed, large and slow requests; secret rotation; lying proxies."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, TwilioPhone, connect_webhooks

ANA, BARBU = "+40740000101", "+40740000102"
WEBHOOK_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
SMS_PATH = "/hooks/orange-ro/twilio/sms"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TEXT_FIELDS = {"MessageSid": "SM1", "From": ANA, "To": "477", "Body": "FACTURA"}
BILLING_WORDS = ("79,90", "79.90", "ORO-2026", "lei")
"""Strings that appear only in Ana's bill."""


@pytest.fixture
async def url(sandbox: GatewaySandbox) -> AsyncIterator[str]:
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


def sign_headers(fields: dict[str, str], path: str = SMS_PATH, token: str = AUTH_TOKEN) -> dict[str, str]:
    return {**FORM, "X-Twilio-Signature": RequestValidator(token).compute_signature(PUBLIC_URL + path, fields)}


async def post_body(url: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    async with ClientSession() as client, client.post(url + path, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


def mutate_body(body: str, dice: random.Random) -> str:
    """Return the body with one character changed."""
    place = dice.randrange(len(body))
    other = dice.choice([letter for letter in "abcXYZ0189&=+%" if letter != body[place]])
    return body[:place] + other + body[place + 1 :]


async def test_T1_mutated_signed_requests_are_never_accepted(sandbox: GatewaySandbox, url: str) -> None:
    dice, body, headers = random.Random(1), urlencode(TEXT_FIELDS), sign_headers(TEXT_FIELDS)
    sandbox.container.guard.rejection_limiter.max_per_minute = 10_000
    async with ClientSession() as client:
        for forged in (mutate_body(body, dice) for _ in range(1_000)):
            async with client.post(url + SMS_PATH, data=forged, headers=headers) as answer:
                same = parse_qsl(forged) == parse_qsl(body)  # %2b is %2B
                assert same or answer.status in (400, 403), forged


@pytest.mark.parametrize(
    ("given", "forged"),
    [
        ({"Body": "PAY", "From": "+4"}, "Body=PAYFrom%2B4"),
        ({"BodyX": "1"}, "Body=X1"),
        ({"Body": "1", "From": ANA}, f"Body=1&Body=1&From=%2B{ANA[1:]}"),
    ],
)
async def test_T2_one_signature_covers_one_structure(given: dict[str, str], forged: str, url: str) -> None:
    status, _ = await post_body(url, SMS_PATH, forged, sign_headers(given))
    assert status in (400, 403)


@pytest.mark.parametrize(
    "forged", ["CallSid=CA1&Digits=1From%2B40740000101", "CallSid=CA1Digits1From%2B40740000101"]
)
async def test_T2_a_signed_call_does_not_lose_its_caller(forged: str, url: str) -> None:
    path, given = "/hooks/orange-ro/twilio/voice", {"CallSid": "CA1", "Digits": "1", "From": ANA}
    assert (await post_body(url, path, urlencode(given), sign_headers(given, path)))[0] == 200
    assert (await post_body(url, path, forged, sign_headers(given, path)))[0] in (400, 403)


async def test_T3_a_header_cannot_choose_the_algorithm(url: str) -> None:
    for value in ("key=x,algorithm=HMAC_SHA1", "algorithm=none", "key=,algorithm=HMAC_SHA256"):
        headers = sign_headers(TEXT_FIELDS) | {"X-Twilio-Webhooks-Signature-Settings": value}
        assert (await post_body(url, SMS_PATH, urlencode(TEXT_FIELDS), headers))[0] == 403


async def test_T4_a_replay_is_answered_alike_and_done_once(sandbox: GatewaySandbox, url: str) -> None:
    body, headers = (
        urlencode(TEXT_FIELDS | {"Body": "EFACTURA"}),
        sign_headers(TEXT_FIELDS | {"Body": "EFACTURA"}),
    )
    first = await post_body(url, SMS_PATH, body, headers)
    before = await sandbox.count_effects()
    together = await asyncio.gather(*(post_body(url, SMS_PATH, body, headers) for _ in range(50)))
    assert set(together) == {first} and await sandbox.count_effects() == before


async def test_T5_T6_a_spoofed_caller_hears_nothing_of_the_account(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        for keys in ("1", "2", "3"):
            phone = TwilioPhone(wire, sandbox.menu, sandbox.messages)
            await phone.call(ANA, "411")
            said = " ".join((await phone.press(keys)).lines)
            assert not any(word in said for word in BILLING_WORDS)


async def test_T16_a_guessed_session_id_attaches_to_nobody(sandbox: GatewaySandbox, url: str) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        await phone.dial(ANA, "*100#")
        shown = await phone.press("1")
    for guess in (phone.session, *(f"ATUid_{number}" for number in range(100))):
        fields = {"sessionId": guess, "phoneNumber": BARBU, "serviceCode": "*100#", "text": "1"}
        _, words = await post_body(url, f"{WEBHOOK_PATH}/ussd", urlencode(fields), FORM)
        assert words != "CON " + "\n".join(shown.lines)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("text=" + "1" * 70_000, 413),
        ("&".join(f"f{n}=1" for n in range(65)), 400),
        ("text=" + "1" * 4_097, 400),
    ],
)
async def test_T24_large_bodies_are_refused_at_once(body: str, status: int, url: str) -> None:
    await post_body(url, f"{WEBHOOK_PATH}/ussd", "text=1", FORM)
    began = time.perf_counter()
    assert (await post_body(url, f"{WEBHOOK_PATH}/ussd", body, FORM))[0] == status
    assert time.perf_counter() - began < 1


async def test_T25_slow_bodies_delay_no_other_request(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    length = f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 99"
    head = f"POST {WEBHOOK_PATH}/ussd HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\na"
    slow = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
    for _, writer in slow:
        writer.write(head.encode())
    began = time.perf_counter()
    assert (await post_body(url, f"{WEBHOOK_PATH}/ussd", "text=1", FORM))[0] == 200
    assert time.perf_counter() - began < 2
    for _, writer in slow:
        writer.close()


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "idna", "unicode_escape", "rot13"])
async def test_T26_no_charset_smuggles(charset: str, url: str) -> None:
    headers = {"Content-Type": f"{FORM['Content-Type']}; charset={charset}"}
    assert (await post_body(url, f"{WEBHOOK_PATH}/ussd", "text=1", headers))[0] == 415


async def test_T26_a_request_that_two_readers_would_cut_apart_is_refused(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    length = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    writer.write(
        f"POST {WEBHOOK_PATH}/ussd HTTP/1.1\r\nHost: x\r\n{length}\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode()
    )
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()


async def test_T36_two_secrets_live_while_one_is_changed(sandboxes: SandboxFactory) -> None:
    links = {
        "africastalking": {"hook_token": "new-token", "old_hook_token": HOOK_TOKEN},
        "twilio": {"auth_token": "new-auth", "old_auth_token": AUTH_TOKEN},
    }
    more = {"operators": {"orange-ro": links}}
    async with (
        sandboxes.open(more=more) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
    ):
        url = f"http://127.0.0.1:{port}"
        for token, status in ((HOOK_TOKEN, 200), ("new-token", 200), ("other", 404)):
            path = f"/hooks/orange-ro/africastalking/{token}/ussd"
            told = await asyncio.gather(*(post_body(url, path, "text=", FORM) for _ in range(20)))
            assert {each[0] for each in told} == {status}
        for token, status in ((AUTH_TOKEN, 200), ("new-auth", 200), ("other", 403)):
            assert (
                await post_body(url, SMS_PATH, urlencode(TEXT_FIELDS), sign_headers(TEXT_FIELDS, token=token))
            )[0] == status


async def test_wrong_tokens_are_rate_limited_and_the_right_one_is_not(
    sandbox: GatewaySandbox, url: str
) -> None:
    sandbox.container.guard.rejection_limiter.max_per_minute = 10
    wrong = "/hooks/orange-ro/africastalking/guess/ussd"
    told = [(await post_body(url, wrong, "text=", FORM))[0] for _ in range(12)]
    assert told == [404] * 10 + [429] * 2
    assert (await post_body(url, f"{WEBHOOK_PATH}/ussd", "text=", FORM))[0] == 200


@pytest.mark.parametrize(
    ("proxies", "told", "status"),
    [
        ((), "10.1.1.1", 403),
        (("127.0.0.1/32",), "10.1.1.1", 200),
        (("127.0.0.1/32",), "10.1.1.1, 192.0.2.7", 403),
        (("127.0.0.1/32", "192.0.2.0/24"), "10.1.1.1, 192.0.2.7", 200),
        (("127.0.0.1/32",), "junk", 403),
        (("127.0.0.1/32",), "", 403),
    ],
)
async def test_only_listed_proxies_are_believed(
    proxies: tuple[str, ...], told: str, status: int, sandboxes: SandboxFactory
) -> None:
    links = {"orange-ro": {"africastalking": {"sources": ["10.0.0.0/8"]}}}
    more = {"trusted_proxies": list(proxies), "operators": links}
    async with (
        sandboxes.open(more=more) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
    ):
        headers = FORM | {"X-Forwarded-For": told}
        assert (await post_body(f"http://127.0.0.1:{port}", f"{WEBHOOK_PATH}/ussd", "text=", headers))[
            0
        ] == status
