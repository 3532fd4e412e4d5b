"""HTTP routes of the browser phone (demo only, loopback only): page, API, events and map."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from flows.engine.menu_versions import Shelf
from gateway.dialogs.format import DialogError
from gateway.dialogs.sandbox import Scene
from gateway.phone.handset import TRICKS, Handset
from gateway.phone.handset_pool import Booth
from gateway.phone.map_page import Maps
from menus.machine.menu import Menu
from storage.demo.world import cast

FOLDER = Path(__file__).parent
FILES = {
    "/phone": ("phone.html", "text/html"),
    "/phone/phone.css": ("phone.css", "text/css"),
    "/phone/phone.js": ("phone.js", "text/javascript"),
    "/phone/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        " media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Host names it answers to: protects against DNS rebinding."""
STILL_SECONDS = 15.0
"""Interval of keep-alive comments on an idle event stream."""
WORDS = 3
"""Number of SMS keywords suggested before the first text."""
STRANGERS = ("withheld",)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class PhoneSite:
    """Serves `/phone`."""

    booth: Booth
    shelf: Shelf = field(repr=False)
    now: Callable[[], datetime]
    maps: Maps = field(repr=False)
    people: Mapping[str, Any] = field(repr=False)
    """Demo data set of the phones, by operator."""
    news: dict[str, list[str]] = field(default_factory=dict, repr=False)
    """Findings in the pack on disk, by operator; empty when it is valid."""

    def mount(self, app: web.Application) -> None:
        """Add the routes to an application and close the handsets at its shutdown."""
        routes = [web.get(path, _local(_file(*what))) for path, what in FILES.items()]
        handset_path = "/phone/handsets/{name}"
        routes += [
            web.get("/phone/world", _local(self._world)),
            web.get("/phone/map", _local(self._map)),
            web.post("/phone/handsets", _local(self._open)),
            web.post(f"{handset_path}/act", _local(self._act)),
            web.get(f"{handset_path}/events", _local(self._events)),
            web.get(f"{handset_path}/dialog", _local(self._dialog)),
        ]
        app.add_routes(routes)
        app.on_shutdown.append(self._closed)

    def broken(self, operator: str, findings: list[str]) -> None:
        """Send a pack's findings to all pages; an empty list means that it is valid again."""
        self.news[operator] = findings
        self.booth.tell("pack", self._pack(operator))

    def published(self, menu: Menu) -> None:
        """Publish a changed menu to the handsets and clear its findings."""
        self.booth.published(menu)
        self.broken(menu.name, [])

    def _pack(self, operator: str) -> dict[str, Any]:
        revision = self.shelf.current(operator).revision
        return {"operator": operator, "revision": revision, "findings": self.news.get(operator, [])}

    async def _closed(self, app: web.Application) -> None:
        await self.booth.close_all()

    async def _world(self, request: web.Request) -> web.StreamResponse:
        with_people = [name for name in self.people if name in self.shelf.menus]
        others = [name for name in self.shelf.menus if name not in with_people]
        return _json({"operators": [self._operator(name) for name in [*with_people, *others]]})

    def _operator(self, name: str) -> dict[str, Any]:
        menu = self.shelf.current(name)
        form, keywords = menu.form, menu.keywords.form.keywords
        numbers = {"ussd": form.numbers.ussd, "voice": form.numbers.voice, "sms": form.numbers.sms}
        return {
            "name": name,
            "title": form.title,
            "numbers": numbers,
            "languages": list(menu.tongues),
            "words": [each.words[0] for each in keywords if not each.takes][:WORDS],
            "people": [
                *cast(self.people[name]),
                {"number": "withheld", "name": "withheld number", "knows": ""},
            ],
            "pack": self._pack(name),
        }

    async def _open(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        operator, language = str(body.get("operator")), str(body.get("language", ""))
        if operator not in self.shelf.menus:
            return _json({"error": f"no operator {operator!r}"}, 400)
        menu = self.shelf.current(operator)
        caller = str(body.get("caller"))
        numbers = [person["number"] for person in cast(self.people[operator])]
        if caller not in (*numbers, *STRANGERS) or language not in ("", *menu.tongues):
            return _json({"error": "choose a person and a language of this operator"}, 400)
        at = f"{self.now().astimezone(ZoneInfo(menu.form.time_zone)):%Y-%m-%d %H:%M}"
        name = await self.booth.open(Scene(operator, at, caller, language))
        handset = self.booth.handset(name)
        return _json({"name": name, "state": await handset.state() if handset else {}})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        handset, body = self._handset(request), await request.json()
        network_fault = body.get("trick", "")
        try:
            state = await handset.act(
                str(body.get("verb")),
                str(body.get("said", "")),
                network_fault if network_fault in TRICKS else "",
            )
        except DialogError as error:
            return _json({"error": str(error)})
        return _json(state)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        handset = self._handset(request)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        queue = handset.watch()
        try:
            await response.prepare(request)
            await _stream(response, queue)
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            handset.watching.discard(queue)
        return response

    async def _dialog(self, request: web.Request) -> web.StreamResponse:
        handset = self._handset(request)
        name = f'attachment; filename="{handset.file}"'
        return web.Response(text=handset.dialog(), headers={**HEADERS, "Content-Disposition": name})

    async def _map(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        path = query.get("path", "").split()
        page = self.maps.page(query.get("operator", ""), query.get("channel", "ussd"), path)
        return web.Response(text=page, content_type="text/html", headers=HEADERS)

    def _handset(self, request: web.Request) -> Handset:
        handset = self.booth.handset(request.match_info["name"])
        if handset is None:
            raise web.HTTPNotFound(text=json.dumps({"error": "this phone was given back; reload the page"}))
        return handset


async def _stream(response: web.StreamResponse, queue: "asyncio.Queue[tuple[str, Any]]") -> None:
    """Write events to the stream until the handset is closed."""
    kind: str = ""
    await response.write(b": here\n\n")
    while kind != "closed":
        try:
            async with asyncio.timeout(STILL_SECONDS):
                kind, what = await queue.get()
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        await response.write(f"event: {kind}\ndata: {json.dumps(what, ensure_ascii=False)}\n\n".encode())


def _local(handler: Handler) -> Handler:
    """Allow requests by a loopback host name only; POST must be JSON, so that forms elsewhere cannot post."""

    async def serve(request: web.Request) -> web.StreamResponse:
        host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if host not in HOSTS:
            return web.Response(status=403, text="only on loopback\n", headers=HEADERS)
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=415, text="send application/json\n", headers=HEADERS)
        return await handler(request)

    return serve


def _file(name: str, kind: str) -> Handler:
    data = (FOLDER / name).read_bytes()

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, content_type=kind, charset="utf-8", headers=HEADERS)

    return serve


def _json(what: Any, status: int = 200) -> web.Response:
    return web.json_response(what, status=status, headers=HEADERS)
