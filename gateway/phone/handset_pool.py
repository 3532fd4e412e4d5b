"""Pool of browser phones, each with its own sandbox and HTTP server on loopback."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import ClientSession, web

from flows.engine.conversation import Conversations
from gateway.dialogs.sandbox import Scene, Stages
from gateway.phone.handset import Handset
from gateway.phone.provider_line import Air
from gateway.phone.webhook_client import Exchange, Wire
from gateway.server.app import public
from menus.machine.menu import Menu

MOST = 8
"""Handsets open at the same time; the oldest is closed first."""
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Booth:
    """Opens and closes the handsets of the phone site."""

    stages: Stages
    watch: Callable[[Conversations], None] = field(default=lambda conversations: None, repr=False)
    """Registers the funnel's counters on a handset's conversations."""
    handsets: dict[str, tuple[Handset, AsyncExitStack]] = field(default_factory=dict, repr=False)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def open(self, scene: Scene) -> str:
        """Open a handset and return its unguessable name."""
        async with self.opening:
            while len(self.handsets) >= MOST:
                await self.close(next(iter(self.handsets)))
            stack, name = AsyncExitStack(), secrets.token_urlsafe(12)
            handset = await stack.enter_async_context(self._handset(scene))
            self.handsets[name] = handset, stack
            return name

    def handset(self, name: str) -> Handset | None:
        """Return the handset of a name, or None."""
        return self.handsets[name][0] if name in self.handsets else None

    async def close(self, name: str) -> None:
        """Close a handset and its sandbox."""
        handset, stack = self.handsets.pop(name)
        handset.tell("closed", {})
        await stack.aclose()

    async def close_all(self) -> None:
        """Close all handsets."""
        for name in list(self.handsets):
            await self.close(name)

    def published(self, menu: Menu) -> None:
        """Publish a changed menu to its operator's handsets; open conversations keep their revision."""
        for handset, _ in self.handsets.values():
            if handset.stage.scene.operator == menu.name:
                handset.stage.house.conversations.shelf.publish(menu)

    def tell(self, kind: str, what: object) -> None:
        """Send an event to the pages of all handsets."""
        for handset, _ in self.handsets.values():
            handset.tell(kind, what)

    @asynccontextmanager
    async def _handset(self, scene: Scene) -> AsyncIterator[Handset]:
        listener = socket.create_server((LOOPBACK, 0))
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        async with self.stages.open(replace(scene, public_url=url)) as stage, ClientSession() as client:
            runner = web.AppRunner(public(stage.house), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            await web.SockSite(runner, listener).start()
            self.watch(stage.house.conversations)
            try:
                yield Handset(stage, Air(Wire(client, url, _unheard), stage.menu))
            finally:
                await runner.cleanup()


def _unheard(exchange: Exchange) -> None:
    """Ignore an exchange; replaced when the handset is created."""
