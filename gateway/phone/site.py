"""HTTP routes of the browser phone (demo only, loopback only): page, API, events and map."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from flows.engine.menu_versions import MenuVersions
from gateway.demo.wallet.wallet_book import WALLET_MODES
from gateway.dialogs.format import DialogError
from gateway.dialogs.sandbox import Scenario
from gateway.http.html_templates import HtmlTemplates
from gateway.phone.event_history import PageEvent
from gateway.phone.handset import NETWORK_FAULTS, Handset
from gateway.phone.handset_pool import HandsetPool
from gateway.phone.map_page import MapPage
from menus.machine.menu import Menu
from storage.demo.world import demo_people

STATIC_FOLDER = Path(__file__).parent
TEMPLATE_FOLDER = STATIC_FOLDER / "templates"
STATIC_FILES = {
    "/phone/phone.css": ("phone.css", "text/css"),
    "/phone/phone.js": ("phone.js", "text/javascript"),
    "/phone/map.js": ("map.js", "text/javascript"),
    "/phone/icon.svg": ("icon.svg", "image/svg+xml"),
}
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        " media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SWITCHES: Sequence[tuple[Mapping[str, str], str]] = (
    ({"data-trick": "lost", "aria-pressed": "false"}, "Lose the next reply"),
    ({"data-trick": "twice", "aria-pressed": "false"}, "Deliver the next twice"),
    ({"data-spoil": "billing", "data-state": "slow", "aria-pressed": "false"}, "Billing slow"),
    ({"data-spoil": "billing", "data-state": "down", "aria-pressed": "false"}, "Billing down"),
    ({"data-spoil": "sessions", "data-state": "down", "aria-pressed": "false"}, "Redis down"),
    ({"id": "drop", "disabled": ""}, "Drop the call"),
    ({"data-wait": "16 minutes"}, "Clock +16 minutes"),
)
"""The fault switches: attributes that tell the page's script what to do, and label."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Host names it answers to: protects against DNS rebinding."""
KEEPALIVE_SECONDS = 15.0
"""Interval of keep-alive comments on an idle event stream."""
MAX_NUMBER_DIGITS = 10
"""Digits of the number of an event, at most."""
MAX_KEYWORDS = 3
"""Number of SMS keywords suggested before the first text."""
ANONYMOUS_CALLERS = ("withheld",)
PhoneHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class PhoneSite:
    """Serves `/phone`."""

    pool: HandsetPool
    menu_versions: MenuVersions = field(repr=False)
    now: Callable[[], datetime]
    map_page: MapPage = field(repr=False)
    templates: HtmlTemplates = field(repr=False)
    dataset: Mapping[str, Any] = field(repr=False)
    """Demo data set of the phones, by operator."""
    pack_findings: dict[str, list[str]] = field(default_factory=dict, repr=False)
    """Findings in the pack on disk, by operator; empty when it is valid."""

    def mount(self, app: web.Application) -> None:
        """Add the routes to an application and close the handsets at its shutdown."""
        routes = [web.get(path, _loopback_only(_static_file(*what))) for path, what in STATIC_FILES.items()]
        handset_path = "/phone/handsets/{name}"
        routes += [
            web.get("/", _loopback_only(_lead_to_phone)),
            web.get("/phone", _loopback_only(self._show_phone)),
            web.get("/phone/world", _loopback_only(self._list_operators)),
            web.get("/phone/map", _loopback_only(self._show_map)),
            web.post("/phone/handsets", _loopback_only(self._open_handset)),
            web.get(handset_path, _loopback_only(self._show_handset)),
            web.post(f"{handset_path}/act", _loopback_only(self._perform_action)),
            web.get(f"{handset_path}/events", _loopback_only(self._stream_events)),
            web.get(f"{handset_path}/dialog", _loopback_only(self._download_dialog)),
        ]
        app.add_routes(routes)
        app.on_shutdown.append(self._on_shutdown)

    def report_findings(self, operator: str, findings: list[str]) -> None:
        """Send a pack's findings to all pages; an empty list means that it is valid again."""
        self.pack_findings[operator] = findings
        self.pool.broadcast("pack", self._pack_view(operator))

    def publish_menu(self, menu: Menu) -> None:
        """Publish a changed menu to the handsets and clear its findings."""
        self.pool.publish_menu(menu)
        self.report_findings(menu.name, [])

    def _pack_view(self, operator: str) -> dict[str, Any]:
        revision = self.menu_versions.current_menu(operator).revision
        return {"operator": operator, "revision": revision, "findings": self.pack_findings.get(operator, [])}

    async def _on_shutdown(self, app: web.Application) -> None:
        await self.pool.close_all()

    async def _show_phone(self, request: web.Request) -> web.StreamResponse:
        values = {"switches": SWITCHES, "wallet_modes": WALLET_MODES}
        return _html_response(self.templates.render("phone.html", values))

    async def _list_operators(self, request: web.Request) -> web.StreamResponse:
        with_people = [name for name in self.dataset if name in self.menu_versions.menus]
        others = [name for name in self.menu_versions.menus if name not in with_people]
        return _json_response({"operators": [self._operator_view(name) for name in [*with_people, *others]]})

    def _operator_view(self, name: str) -> dict[str, Any]:
        menu = self.menu_versions.current_menu(name)
        form, keywords = menu.config, menu.keywords.config.keywords
        numbers = {"ussd": form.numbers.ussd, "voice": form.numbers.voice, "sms": form.numbers.sms}
        return {
            "name": name,
            "title": form.title,
            "country": _country_of(menu),
            "numbers": numbers,
            "languages": list(menu.language_packs),
            "words": [each.words[0] for each in keywords if not each.takes][:MAX_KEYWORDS],
            "people": [
                *demo_people(self.dataset[name]),
                {"number": "withheld", "name": "withheld number", "knows": ""},
            ],
            "pack": self._pack_view(name),
        }

    async def _open_handset(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        operator, language = str(body.get("operator")), str(body.get("language", ""))
        if operator not in self.menu_versions.menus:
            return _json_response({"error": f"no operator {operator!r}"}, 400)
        menu = self.menu_versions.current_menu(operator)
        caller = str(body.get("caller"))
        numbers = [person["number"] for person in demo_people(self.dataset[operator])]
        if caller not in (*numbers, *ANONYMOUS_CALLERS) or language not in ("", *menu.language_packs):
            return _json_response({"error": "choose a person and a language of this operator"}, 400)
        at = f"{self.now().astimezone(ZoneInfo(menu.config.time_zone)):%Y-%m-%d %H:%M}"
        name = await self.pool.open(Scenario(operator, at, caller, language))
        handset = self.pool.find_handset(name)
        return _json_response({"name": name, "state": await handset.read_state() if handset else {}})

    async def _show_handset(self, request: web.Request) -> web.StreamResponse:
        return _json_response(await self._require_handset(request).read_state())

    async def _perform_action(self, request: web.Request) -> web.StreamResponse:
        handset, body = self._require_handset(request), await request.json()
        network_fault = body.get("trick", "")
        try:
            state = await handset.perform(
                str(body.get("verb")),
                str(body.get("said", "")),
                network_fault if network_fault in NETWORK_FAULTS else "",
            )
        except DialogError as error:
            return _json_response({"error": str(error)})
        return _json_response(state)

    async def _stream_events(self, request: web.Request) -> web.StreamResponse:
        handset = self._require_handset(request)
        response = web.StreamResponse(headers={**SECURITY_HEADERS, "Content-Type": "text/event-stream"})
        queue = handset.events.subscribe(_last_seen(request))
        try:
            await response.prepare(request)
            await _write_events(response, queue)
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            handset.events.queues.discard(queue)
        return response

    async def _download_dialog(self, request: web.Request) -> web.StreamResponse:
        handset = self._require_handset(request)
        name = f'attachment; filename="{handset.file_name}"'
        return web.Response(
            text=handset.dialog_text(), headers={**SECURITY_HEADERS, "Content-Disposition": name}
        )

    async def _show_map(self, request: web.Request) -> web.StreamResponse:
        return _html_response(self.map_page.render(request.query))

    def _require_handset(self, request: web.Request) -> Handset:
        handset = self.pool.find_handset(request.match_info["name"])
        if handset is None:
            raise web.HTTPNotFound(text=json.dumps({"error": "this phone was given back; reload the page"}))
        return handset


async def _lead_to_phone(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={**SECURITY_HEADERS, "Location": "/phone"})


def _country_of(menu: Menu) -> str:
    """Return the country of an operator's first language, such as `RO`: tells operators of one name apart."""
    first = next(iter(menu.config.languages.values()))
    return first.locale.replace("-", "_").partition("_")[2]


def _last_seen(request: web.Request) -> int:
    """Return the number of the last event a page has: sent by a browser that reconnects, or in the query."""
    number = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) <= MAX_NUMBER_DIGITS else 0


async def _write_events(response: web.StreamResponse, queue: "asyncio.Queue[PageEvent]") -> None:
    """Write events to the stream until the handset is closed."""
    event = PageEvent("", {})
    await response.write(b": here\n\n")
    while event.kind != "closed":
        try:
            async with asyncio.timeout(KEEPALIVE_SECONDS):
                event = await queue.get()
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        await response.write(_event_bytes(event))


def _event_bytes(event: PageEvent) -> bytes:
    """Return an event as a stream carries it (server-sent events)."""
    number = f"id: {event.number}\n" if event.number else ""
    return f"{number}event: {event.kind}\ndata: {json.dumps(event.what, ensure_ascii=False)}\n\n".encode()


def _loopback_only(handler: PhoneHandler) -> PhoneHandler:
    """Allow requests by a loopback host name only; POST must be JSON, so that forms elsewhere cannot post."""

    async def serve(request: web.Request) -> web.StreamResponse:
        host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if host not in LOOPBACK_HOSTS:
            return web.Response(status=403, text="only on loopback\n", headers=SECURITY_HEADERS)
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=415, text="send application/json\n", headers=SECURITY_HEADERS)
        return await handler(request)

    return serve


def _static_file(name: str, kind: str) -> PhoneHandler:
    data = (STATIC_FOLDER / name).read_bytes()

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, content_type=kind, charset="utf-8", headers=SECURITY_HEADERS)

    return serve


def _html_response(page: str) -> web.Response:
    return web.Response(text=page, content_type="text/html", headers=SECURITY_HEADERS)


def _json_response(what: Any, status: int = 200) -> web.Response:
    return web.json_response(what, status=status, headers=SECURITY_HEADERS)
