"""A webhook gets the same answer whether the connection or aiohttp's application serves it."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from gateway.http.direct_webhooks import DirectWebhooks
from gateway.http.listening import DIRECT_WEBHOOKS, serve_app
from gateway.http.webhook_messages import WebhookRequest
from gateway.server.app import public_app
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.raw_http import FORM, Connect, raw_post, read_answer
from tests.support.raw_http import connect as connect

HOOKS = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
VALID = {"sessionId": "s", "serviceCode": "*100#", "phoneNumber": "+40740000101", "networkCode": "1"}


def form(text: str = "", **fields: str) -> bytes:
    return urlencode(VALID | {"text": text} | fields).encode()


REQUESTS = {
    "home": raw_post(f"{HOOKS}/ussd", form()),
    "a key": raw_post(f"{HOOKS}/ussd", form("1")),
    "the key again": raw_post(f"{HOOKS}/ussd", form("1")),
    "another key": raw_post(f"{HOOKS}/ussd", form("1*1")),
    "charset": raw_post(f"{HOOKS}/ussd", form("9"), FORM.replace("\r\n", "; charset=UTF-8\r\n")),
    "bad charset": raw_post(f"{HOOKS}/ussd", form("9"), FORM.replace("\r\n", "; charset=utf-7\r\n")),
    "no content type": raw_post(f"{HOOKS}/ussd", form(), ""),
    "json for a form": raw_post(f"{HOOKS}/ussd", b"{}", "Content-Type: application/json\r\n"),
    "field twice": raw_post(f"{HOOKS}/ussd", b"text=1&text=2"),
    "nul": raw_post(f"{HOOKS}/ussd", form("%00")),
    "field missing": raw_post(f"{HOOKS}/ussd", b"text=1"),
    "no number": raw_post(f"{HOOKS}/ussd", form(phoneNumber="Orange")),
    "query": raw_post(f"{HOOKS}/ussd?step=1", form()),
    "query twice": raw_post(f"{HOOKS}/ussd?a=1&a=2", form()),
    "fragment": raw_post(f"{HOOKS}/ussd#x", form()),
    "wrong token": raw_post("/hooks/orange-ro/africastalking/guess/ussd", form()),
    "no token": raw_post("/hooks/orange-ro/africastalking/ussd", form()),
    "empty token": raw_post("/hooks/orange-ro/africastalking//ussd", form()),
    "unsigned": raw_post("/hooks/orange-ro/twilio/sms", b"From=%2B40740000101&Body=FACT"),
    "empty token, signed": raw_post("/hooks/orange-ro/twilio//sms", b"From=%2B40740000101&Body=FACT"),
    "two tokens": raw_post(f"{HOOKS}/{HOOK_TOKEN}/ussd", form()),
    "unknown route": raw_post(f"{HOOKS}/nope", form()),
    "unknown operator": raw_post(f"/hooks/nobody/africastalking/{HOOK_TOKEN}/ussd", form()),
    "escaped path": raw_post(f"{HOOKS.replace('orange', '%6frange')}/ussd", form()),
    "escaped slash": raw_post(f"{HOOKS}%2Fussd", form()),
    "encoding": raw_post(f"{HOOKS}/ussd", form(), FORM + "Content-Encoding: gzip\r\n"),
    "encoding identity": raw_post(f"{HOOKS}/ussd", form(), FORM + "Content-Encoding: identity\r\n"),
    "sms": raw_post(
        f"{HOOKS}/sms", urlencode({"from": "+40740000101", "to": "477", "id": "m1", "text": "?"}).encode()
    ),
    "report": raw_post(f"{HOOKS}/sms-report", b"id=x&status=Success"),
    "empty body": raw_post(f"{HOOKS}/ussd", b""),
    "too large": raw_post(f"{HOOKS}/ussd", b"text=" + b"1" * 70_000),
    "get": (f"GET {HOOKS}/ussd HTTP/1.1\r\nHost: gw\r\n\r\n".encode(), b""),
    "put": (f"PUT {HOOKS}/ussd HTTP/1.1\r\nHost: gw\r\nContent-Length: 0\r\n\r\n".encode(), b""),
}


async def answer_all(sandbox: GatewaySandbox, connect: Connect, *, is_direct: bool) -> Mapping[str, object]:
    """Return the answers to all requests in turn, with the connections' own way switched on or off."""
    app = public_app(sandbox.container)
    if not is_direct:
        del app[DIRECT_WEBHOOKS]
    answers = {}
    async with serve_app(app, "127.0.0.1", 0) as port:
        for name, (head, body) in REQUESTS.items():
            reader, writer = await connect(port)
            await asyncio.sleep(0)  # the server's side of the connection waits for a request
            writer.write(head + body)
            answers[name] = await read_answer(reader)
    return answers


async def test_both_ways_give_the_same_answers(sandboxes: SandboxFactory, connect: Connect) -> None:
    async with sandboxes.open() as sandbox:
        routed = await answer_all(sandbox, connect, is_direct=False)
    async with sandboxes.open() as sandbox:
        direct = await answer_all(sandbox, connect, is_direct=True)
    assert direct == routed
    assert len({str(answer) for answer in direct.values()}) > 12


async def test_only_whole_posts_to_a_webhook_are_taken(
    sandboxes: SandboxFactory, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    read_request = DirectWebhooks.read_request

    def note(self: DirectWebhooks, message: object, payload: object, remote: object) -> WebhookRequest | None:
        request = read_request(self, message, payload, remote)  # type: ignore[arg-type]
        taken.extend([request.target] if request else [])
        return request

    monkeypatch.setattr(DirectWebhooks, "read_request", note)
    async with sandboxes.open() as sandbox:
        await answer_all(sandbox, connect, is_direct=True)
    assert f"{HOOKS}/ussd" in taken and f"{HOOKS}/sms" in taken
    assert not [path for path in taken if "%" in path or "//" in path or "nobody" in path or "nope" in path]
