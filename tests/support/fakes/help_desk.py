"""Fake help desk on loopback: TMF621 tickets and webhooks, as unkind as real desks."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """One recorded POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class FakeHelpDesk:
    """Keeps tickets by our reference. Each POST follows the next word of the script, then `ok`.

    ok, lost (accepts and breaks the connection off), mute (accepts and never answers), crash (accepts and
    answers 500), or an HTTP status that accepts nothing. A reference it has gets 409 when it
    `refuses_duplicates`, else is kept once more.
    """

    script: deque[str] = field(default_factory=deque)
    posts: list[DeskRequest] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    refuses_duplicates: bool = True
    can_search: bool = True
    obeys_filter: bool = True
    retry_after: str = ""
    url: str = ""

    async def __aenter__(self) -> Self:
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._create)
        app.router.add_get("/{tail:.*}", self._search)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/desk"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._runner.cleanup()

    @property
    def references(self) -> list[str]:
        """Our references of the tickets kept, one for each ticket."""
        return [str(ticket["externalId"]) for ticket in self.tickets]

    async def _search(self, request: web.Request) -> web.Response:
        if not self.can_search:
            return web.Response(status=400)
        wanted = request.query["externalId"]
        found = [each for each in self.tickets if not self.obeys_filter or each["externalId"] == wanted]
        return web.json_response(found)

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.posts.append(DeskRequest(request.path, dict(request.headers), body))
        word = self.script.popleft() if self.script else "ok"
        if word.isdecimal():
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return web.Response(status=int(word), headers=headers)
        raw = json.loads(body)
        reference = raw.get("externalId") or raw["data"]["reference"]
        if self.refuses_duplicates and reference in self.references:
            return web.Response(status=409)
        self.tickets.append({**raw, "externalId": reference, "id": f"TT-{len(self.tickets) + 1}"})
        return await self._answer(word, request)

    async def _answer(self, word: str, request: web.Request) -> web.Response:
        if word == "lost":
            assert request.transport is not None
            request.transport.abort()
        if word == "mute":
            await self._closing.wait()
        return web.json_response(self.tickets[-1], status=500 if word == "crash" else 201)
