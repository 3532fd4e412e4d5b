"""A sandbox whose bills can be paid: Payfake, the pages and the callbacks, each a real server on loopback."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.domain.payment_records import PaymentIntent, PaymentState
from flows.domain.records import Bill, OutboundMessage
from gateway.demo.payfake import Payfake, PayfakeMode
from gateway.demo.payfake_server import serve_payfake
from gateway.dialogs.direct_line import DirectLine
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from gateway.settings_sources import merge_tables
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.page_client import PageResponse, PageServer, PageVisitor


@dataclass
class PaymentWorld:
    """What a test needs to pay a bill and to look at every side of it."""

    sandbox: GatewaySandbox
    payfake: Payfake
    server: PageServer
    operator: str
    caller: str
    received: list[OutboundMessage] = field(default_factory=list)

    @property
    def line(self) -> DirectLine:
        return self.server.phone

    @property
    def pay_path(self) -> str:
        return f"/{self.operator}/pay"

    async def deliver(self) -> list[OutboundMessage]:
        """Run the outbox until nothing is due, and return what arrived."""
        new = await self.sandbox.messages.collect_new()
        self.received += new
        return new

    async def wait(self, **time: float) -> list[OutboundMessage]:
        """Let time pass, then deliver."""
        self.sandbox.clock.advance(timedelta(**time))
        return await self.deliver()

    async def text(self, words: str) -> str:
        return "\n".join(
            (await self.line.send_text(self.caller, self.sandbox.menu.config.numbers.sms, words)).lines
        )

    async def request_link(self, words: str = "PAY") -> str:
        """Ask for the link by text and return its token."""
        await self.text(words)
        await self.text("1")
        body = next(each.body for each in await self.deliver() if "/pay#" in each.body)
        found = re.search(r"/pay#(\S+)", body)
        assert found
        return found[1]

    async def open_link(self, token: str) -> tuple[PageVisitor, PageResponse]:
        visitor = self.server.new_visitor()
        return visitor, await visitor.submit(self.pay_path, link=token)

    async def start(self, token: str, mode: PayfakeMode = "ok") -> str:
        """Press the button of the link's page and return the provider's session."""
        self.payfake.mode = mode
        visitor, page = await self.open_link(token)
        assert page.status == 200, page.visible_text
        async with visitor.session.post(
            visitor.url + self.pay_path, data=page.hidden_fields, allow_redirects=False
        ) as response:
            assert response.status == 303, await response.text()
            return response.headers["Location"].rpartition("/")[2]

    async def pay(self, mode: PayfakeMode = "ok") -> str:
        """Ask for the link, go to the provider and pay; return the session."""
        session = await self.start(await self.request_link(), mode)
        await self.payfake.press(session)
        await self.deliver()
        return session

    async def intents(self) -> list[PaymentIntent]:
        """Return every intent, newest first."""
        store = self.sandbox.container.operators[self.operator].intents
        assert store
        return [*await store.list_intents(self.operator, (), datetime(2020, 1, 1, tzinfo=UTC), 1000)]

    async def states(self) -> list[PaymentState]:
        return [each.state for each in await self.intents()]

    async def bill(self) -> Bill:
        """Return the caller's newest bill."""
        billing = self.sandbox.container.operators[self.operator].billing
        account = (await billing.get_subscriber(self.caller)).account
        return (await billing.list_bills(account, 1))[0]

    async def return_page(self, session: str) -> PageResponse:
        """Return the page the payer comes back to."""
        url = str(self.payfake.sessions[session]["return_url"])
        return await self.server.new_visitor().get(url.removeprefix(self.server.url))


@asynccontextmanager
async def open_payment_world(
    sandboxes: SandboxFactory,
    operator: str = "orange-ro",
    caller: str = "+40740000102",
    more: dict[str, Any] | None = None,
    at: str = "2026-03-10 09:00",
) -> AsyncIterator[PaymentWorld]:
    """Open a sandbox with a payment provider; its own clock is the provider's as well."""
    clock: list[Callable[[], datetime]] = []
    payfake, url = Payfake(lambda: clock[0]()), f"http://127.0.0.1:{(port := free_port())}"
    async with serve_payfake([operator], payfake) as payments:
        settings = merge_tables({**payments, "public_url": url}, more or {})
        async with sandboxes.open(at, operator=operator, more=settings) as sandbox:
            clock.append(sandbox.clock)
            async with serve_app(public_app(sandbox.container), "127.0.0.1", port):
                server = PageServer(sandbox, url, sandbox.direct_line())
                try:
                    yield PaymentWorld(sandbox, payfake, server, operator, caller)
                finally:
                    for session in server.visitor_sessions:
                        await session.close()
