"""Pool of browser phones, each with its own sandbox and HTTP server on loopback."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from aiohttp import ClientSession, web

from flows.engine.conversation import TurnEngine
from gateway.demo.payfake import Payfake
from gateway.demo.payfake_server import serve_payfake
from gateway.demo.wallet.wallet_server import DEMO_WALLET
from gateway.dialogs.sandbox import SandboxFactory, Scenario
from gateway.phone.handset import Handset
from gateway.phone.provider_line import ProviderLine
from gateway.phone.webhook_client import Exchange, WebhookClient
from gateway.server.app import public_app
from gateway.wiring.container import Container
from menus.machine.menu import Menu

MAX_HANDSETS = 8
"""Handsets open at the same time; the oldest is closed first."""
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class HandsetPool:
    """Opens and closes the handsets of the phone site."""

    sandboxes: SandboxFactory
    watch_conversations: Callable[[TurnEngine], None] = field(default=lambda conversations: None, repr=False)
    """Registers the funnel's counters on a handset's conversations."""
    handsets: dict[str, tuple[Handset, AsyncExitStack]] = field(default_factory=dict, repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def open(self, scenario: Scenario) -> str:
        """Open a handset and return its unguessable name."""
        async with self.lock:
            while len(self.handsets) >= MAX_HANDSETS:
                await self.close(next(iter(self.handsets)))
            stack, name = AsyncExitStack(), secrets.token_urlsafe(12)
            handset = await stack.enter_async_context(self._start_handset(scenario))
            self.handsets[name] = handset, stack
            return name

    def find_handset(self, name: str) -> Handset | None:
        """Return the handset of a name, or None."""
        return self.handsets[name][0] if name in self.handsets else None

    async def close(self, name: str) -> None:
        """Close a handset and its sandbox."""
        handset, stack = self.handsets.pop(name)
        handset.events.send("closed", {})
        await stack.aclose()

    async def close_all(self) -> None:
        """Close all handsets."""
        for name in list(self.handsets):
            await self.close(name)

    def publish_menu(self, menu: Menu) -> None:
        """Publish a changed menu to its operator's handsets; open conversations keep their revision."""
        for handset, _ in self.handsets.values():
            if handset.sandbox.scenario.operator == menu.name:
                handset.sandbox.container.menu_versions.publish(menu)

    def broadcast(self, kind: str, what: object) -> None:
        """Send an event to the pages of all handsets."""
        for handset, _ in self.handsets.values():
            handset.events.send(kind, what)

    @asynccontextmanager
    async def _start_handset(self, scenario: Scenario) -> AsyncIterator[Handset]:
        listener = socket.create_server((LOOPBACK, 0))
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        clock: list[Callable[[], datetime]] = []
        payfake = Payfake(lambda: clock[0]())
        async with serve_payfake([scenario.operator], payfake):
            own = replace(scenario, public_url=url, payments_url=payfake.url, wallet=DEMO_WALLET)
            async with self.sandboxes.open(own) as stage, ClientSession() as client:
                clock.append(stage.clock)
                async with _serve_public_app(stage.container, listener):
                    self.watch_conversations(stage.container.conversations)
                    line = ProviderLine(WebhookClient(client, url, _ignore_exchange), stage.menu)
                    handset = Handset(stage, line)
                    payfake.after_event = handset.deliver_messages
                    async with _deliver_meanwhile(handset):
                        yield handset


@asynccontextmanager
async def _deliver_meanwhile(handset: Handset) -> AsyncIterator[None]:
    """Deliver the messages that the handset's pages cause, for the duration of the block."""
    task = asyncio.create_task(handset.watch_outbox())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _serve_public_app(container: Container, listener: socket.socket) -> AsyncIterator[None]:
    """Serve a handset's webhooks and pages on a listening socket for the duration of the block."""
    runner = web.AppRunner(public_app(container), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def _ignore_exchange(exchange: Exchange) -> None:
    """Ignore an exchange; replaced when the handset is created."""
