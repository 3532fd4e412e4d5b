"""No exception hook that prints local variables shows a secret, whatever fails in whichever turn (T15)."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar
from sqlalchemy import Connection

from gateway.http.listening import serve_app
from gateway.server.app import public_app
from storage.sql.engine import connect
from tests.support.exception_hook import LocalsRecorder, frames_with_locals
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox, SandboxFactory

ANA = "+40740000101"
PASSWORD, KEYED_CODE, PIN, CUSTOMER_CODE = "Kanarek77", "58203917", "738291", "91827364"
WEB_CODE, LINK_TOKEN = "64820175", "planted-token-0123456789"
CANARIES = (PASSWORD, KEYED_CODE, PIN, CUSTOMER_CODE, WEB_CODE, LINK_TOKEN)
HIDDEN_INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
FAULTS = (
    *("passwords.verify_password", "codes.redeem_code", "codes.issue_code", "billing.get_subscriber"),
    *("ledger.commit", "ledger.find_link", "ledger.get_preference"),
)
"""Calls that fail, by port."""


class FailingPort:
    """A port one of whose methods fails, as a bug or a driver's error would."""

    def __init__(self, inner: Any, method: str) -> None:
        self._inner, self._method = inner, method

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._method else getattr(self._inner, name)

    async def _fail(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("injected")


@dataclass(slots=True)
class Visitor:
    """Sends requests of subscribers and visitors and does not care how they are answered."""

    client: ClientSession
    base: str
    operator: str
    count: int = 0

    async def ussd(self, text: str, number: str = ANA) -> None:
        self.count += 1
        fields = {"sessionId": f"s{self.count}", "phoneNumber": number, "serviceCode": "*1#", "text": text}
        await self._post_hook("ussd", fields)

    async def text(self, body: str, number: str = ANA) -> None:
        self.count += 1
        await self._post_hook("sms", {"id": f"m{self.count}", "from": number, "to": "477", "text": body})

    async def call(self, *keys: str) -> None:
        self.count += 1
        fields = {"isActive": "1", "sessionId": f"v{self.count}", "callerNumber": ANA}
        await self._post_hook("voice", fields)
        for turn, pressed in enumerate(keys, 1):
            await self._post_hook(f"voice?hop={turn}", fields | {"dtmfDigits": pressed})

    async def page(self, name: str, **fields: str) -> None:
        """Send a page's form as a browser does over https."""
        url = f"{self.base}/{self.operator}/{name}"
        async with self.client.get(url) as shown:
            hidden = dict(
                re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', await shown.text())
            )
            cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in shown.cookies.values())
        form, headers = {**hidden, **fields}, {"Cookie": cookies}
        async with self.client.post(url, data=form, headers=headers, allow_redirects=False) as answer:
            await answer.read()

    async def _post_hook(self, route: str, fields: dict[str, str]) -> None:
        url = f"{self.base}/hooks/{self.operator}/africastalking/{HOOK_TOKEN}/{route}"
        async with self.client.post(url, data=fields) as answer:
            await answer.read()


async def journey_of_a_password(visitor: Visitor) -> None:
    await visitor.text(PASSWORD)


async def journey_of_a_spoken_code(visitor: Visitor) -> None:
    await visitor.call("1", "2", KEYED_CODE, KEYED_CODE)


async def journey_of_a_pin(visitor: Visitor) -> None:
    await visitor.ussd(f"2*2*{PIN}", "+212661000101")


async def journey_of_a_customer_code(visitor: Visitor) -> None:
    await visitor.text(f"EFACT 71000102 {CUSTOMER_CODE}", "+21620000103")


async def journey_of_the_pages(visitor: Visitor) -> None:
    await visitor.page("bill", number="0740000101", code=WEB_CODE)
    for name in ("confirm", "address", "mailbox", "file"):
        await visitor.page(name, link=f"https://gw.example.net/x#{LINK_TOKEN}")


JOURNEYS: dict[str, tuple[str, Callable[[Visitor], Any]]] = {
    "a texted password": ("orange-ro", journey_of_a_password),
    "a code keyed in a call": ("orange-ro", journey_of_a_spoken_code),
    "a PIN dialled ahead": ("maroc-telecom", journey_of_a_pin),
    "a texted customer code": ("tunisie-telecom", journey_of_a_customer_code),
    "codes and tokens of pages": ("orange-ro", journey_of_the_pages),
}


@pytest.fixture
def recorder() -> Iterator[LocalsRecorder]:
    """Provide an error tracker's log handler on the root logger."""
    handler, root = LocalsRecorder(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


async def run_journey(sandbox: GatewaySandbox, journey: Callable[[Visitor], Any]) -> None:
    """Run a journey in which every code and token drawn is one that is searched for."""
    ports = sandbox.container.operators[sandbox.operator]
    ports.random_token = lambda: LINK_TOKEN
    ports.random_digits = lambda count: KEYED_CODE[:count]
    async with (
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as at,
        ClientSession(cookie_jar=DummyCookieJar()) as client,
    ):
        await journey(Visitor(client, f"http://127.0.0.1:{at}", sandbox.operator))


def let_fail(sandbox: GatewaySandbox, fault: str) -> None:
    """Let one method of one port fail."""
    ports, (port, _, method) = sandbox.container.operators[sandbox.operator], fault.partition(".")
    setattr(ports, port, FailingPort(getattr(ports, port), method))


def found_secrets(lines: list[str]) -> list[str]:
    return [line for line in lines for secret in CANARIES if secret in line]


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_T15_no_local_variable_shows_a_secret(
    sandboxes: SandboxFactory, recorder: LocalsRecorder, fault: str, journey: str
) -> None:
    operator, send = JOURNEYS[journey]
    async with sandboxes.open(operator=operator) as sandbox:
        let_fail(sandbox, fault)
        await run_journey(sandbox, send)
    assert not found_secrets(recorder.lines)


def fail_statement(*arguments: Any, **options: Any) -> None:
    """Fail as a driver does, with its own frames below."""
    raise RuntimeError("injected")


@pytest.mark.parametrize("journey", JOURNEYS)
async def test_T15_no_local_variable_shows_a_secret_where_a_statement_fails(
    sandboxes: SandboxFactory, recorder: LocalsRecorder, monkeypatch: pytest.MonkeyPatch, journey: str
) -> None:
    operator, send = JOURNEYS[journey]
    async with sandboxes.open(operator=operator) as sandbox:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "execute", fail_statement)
            await run_journey(sandbox, send)
    assert recorder.error_count and not found_secrets(recorder.lines)


FAILING_JOURNEYS = {
    "a texted password": "passwords.verify_password",
    "a code keyed in a call": "codes.redeem_code",
    "a PIN dialled ahead": "passwords.verify_password",
    "a texted customer code": "passwords.verify_password",
    "codes and tokens of pages": "codes.redeem_code",
}


@pytest.mark.parametrize("journey", FAILING_JOURNEYS)
async def test_the_hook_sees_the_call_that_gets_the_secret(
    sandboxes: SandboxFactory, recorder: LocalsRecorder, journey: str
) -> None:
    operator, send = JOURNEYS[journey]
    async with sandboxes.open(operator=operator) as sandbox:
        let_fail(sandbox, FAILING_JOURNEYS[journey])
        await run_journey(sandbox, send)
    assert any(" _fail arguments = " in line for line in recorder.lines)


URLS = (
    "postgresql://user:pl4nted-url@127.0.0.1:1/bills",
    "postgresql://user:pl4nted-url@127.0.0.1:1,127.0.0.1:2/x",
)


@pytest.mark.parametrize("url", URLS)
async def test_T15_a_database_that_refuses_shows_no_password(url: str) -> None:
    database = connect(url)
    with pytest.raises(Exception) as caught:
        await database.read(lambda connection: None)
    await database.close()
    lines = [line for line in frames_with_locals(caught.value) if "test_exception_locals" not in line]
    assert lines and not [line for line in lines if "pl4nted-url" in line]
