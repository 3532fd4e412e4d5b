"""Fake vendor API on loopback: records every request and answers or fails by script."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

DRIP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One recorded HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    text: str = ""
    """The body as it came, of a request that is no form."""


@dataclass
class FakeVendor:
    """Answers by script: each entry once, in order, then `ok` for every further request.

    Entries: ok, hang, drip, reset, garbage, redirect, or an HTTP status such as `500`, whose body
    `refuse_request` writes.
    """

    script: deque[str] = field(default_factory=deque)
    requests: list[RecordedRequest] = field(default_factory=list)
    url: str = ""
    retry_after: str = ""
    """Value of the `Retry-After` header of a 429."""
    host: str = "127.0.0.1"
    """Address it listens on; containers reach another than loopback."""

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        """Return the response to a good request."""
        raise NotImplementedError

    async def wait_before_answer(self) -> None:
        """Wait before the response is sent; a subclass may add a delay."""

    def refuse_request(self, status: int, form: Mapping[str, str]) -> web.Response:
        """Return the response with this HTTP status."""
        return web.Response(status=status, text="no")

    async def __aenter__(self) -> Self:
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        text = "" if form else await request.text()
        self.requests.append(RecordedRequest(request.method, request.path, dict(request.headers), form, text))
        word = self.script.popleft() if self.script else "ok"
        await self.wait_before_answer()
        if word.isdecimal():
            return self._add_retry_after(self.refuse_request(int(word), form))
        tricks: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "hang": self._hang,
            "drip": self._drip,
            "reset": self._reset,
            "garbage": self._garbage,
            "redirect": self._redirect,
        }
        return await tricks[word](request) if word in tricks else self.accept_request(form)

    def _add_retry_after(self, answer: web.Response) -> web.Response:
        if answer.status == 429 and self.retry_after:
            answer.headers["Retry-After"] = self.retry_after
        return answer

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        await self._closing.wait()
        return web.Response()

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """Send one byte at a time, so that no single read ever times out."""
        response = web.StreamResponse(status=201, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while not self._closing.is_set():
            await response.write(b" ")
            await asyncio.sleep(DRIP_SECONDS)
        return response

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _garbage(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=201, text="<html>fine</html>", content_type="text/html")

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{self.url}/elsewhere")
