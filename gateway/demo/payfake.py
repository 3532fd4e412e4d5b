"""Payfake: the demo's payment provider, a real server with a hosted page and faults."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any, Literal, get_args

from aiohttp import web

from gateway.demo.callback_sender import JSON_HEADERS, send_callback
from gateway.payments.signed_body import TOLERANCE_SECONDS, sign_body

PayfakeMode = Literal[
    "ok",
    "refuse",
    "silent",
    "late",
    "double",
    "wrong_amount",
    "bad_signature",
    "old_timestamp",
    "early_event",
    "error_first",
]
MODES: tuple[PayfakeMode, ...] = get_args(PayfakeMode)
"""What a session does.

`ok`: paid when the payer presses the button, and told by a callback. `refuse`: the bank refuses.
`silent`: no callback. `late`: expired, and paid `LATE_SECONDS` afterwards. `double`: every callback twice.
`wrong_amount`: another amount is taken. `bad_signature`, `old_timestamp`: callbacks nobody may believe.
`early_event`: a callback comes before the answer that opens the session. `error_first`: the session is opened
and the answer is a 500.
"""
LATE_SECONDS = 90.0
API_KEY, WEBHOOK_SECRET = "payfake-demo-key", "payfake-demo-webhook-secret"
SIGNATURE_HEADER = "Payfake-Signature"
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Payfake</title></head>
<body><h1>Payfake</h1><p>A payment provider that takes no money.</p>
<p>{merchant}, {label}: <strong>{amount} {currency}</strong></p>
<form method="post"><p><label>What happens <select name="mode">{modes}</select></label></p>
<p><button name="action" value="pay">Pay</button>
<button name="action" value="refuse">Refuse</button>
<button name="action" value="cancel">Cancel</button></p></form></body></html>
"""


@dataclass(slots=True)
class Payfake:
    """A payment provider for the demo and the tests; `mode` is what new sessions do."""

    now: Callable[[], datetime]
    url: str = ""
    """Where it is served."""
    mode: PayfakeMode = "ok"
    is_live: bool = False
    """Whether its payments say that they are real ones."""
    late_seconds: float = LATE_SECONDS
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    after_event: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Called once a callback has been answered: a demo phone then shows what came of it."""
    sent_events: list[tuple[str, bytes, str]] = field(default_factory=list, repr=False)
    """URL, body and signature of every callback, in order."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/sessions", self._with_key(self._create_session)),
                web.get("/sessions/{id}", self._with_key(self._get_session)),
                web.post("/sessions/{id}/close", self._with_key(self._close_session)),
                web.post("/refunds", self._with_key(self._create_refund)),
                web.get("/list", self._with_key(self._list_day)),
                web.get("/pay/{id}", self._show_page),
                web.post("/pay/{id}", self._submit_page),
            ]
        )
        app.on_shutdown.append(self._cancel_tasks)
        return app

    @property
    def money_in(self) -> Decimal:
        """Everything payers have paid."""
        paid = (each for each in self.sessions.values() if each["status"] == "paid")
        return sum((Decimal(each["amount"]) for each in paid), Decimal(0))

    @property
    def money_back(self) -> Decimal:
        """Everything given back."""
        return sum((Decimal(each["amount"]) for each in self.refunds.values()), Decimal(0))

    async def press(self, session_id: str, action: str = "pay") -> None:
        """Do what a payer does on the page: `pay`, `refuse` or `cancel`."""
        session = self.sessions[session_id]
        if session["status"] != "open" or action == "cancel":
            return
        if action == "refuse" or session["mode"] == "refuse":
            await self._settle(session, "refused")
        elif session["mode"] == "late":
            await self._settle(session, "expired")
            self._run_later(self._pay_late(session))
        else:
            await self._settle(session, "paid")

    async def pay_late(self, session_id: str) -> None:
        """Take the money of an expired session, now."""
        await self._settle(self.sessions[session_id], "paid")

    async def send_event(self, session: dict[str, Any], name: str) -> None:
        """Send a callback about a session, as its mode has it."""
        event = {"id": f"{name}-{session['id']}", "type": name, "session": self._public(session)}
        body = json.dumps(event).encode()
        at = int(self.now().timestamp())
        at -= 2 * TOLERANCE_SECONDS if session["mode"] == "old_timestamp" else 0
        secret = b"somebody else's secret" if session["mode"] == "bad_signature" else WEBHOOK_SECRET.encode()
        for _ in range(2 if session["mode"] == "double" else 1):
            await self._post_event(session["notify_url"], body, sign_body(secret, body, at))

    async def _post_event(self, url: str, body: bytes, signature: str) -> None:
        self.sent_events.append((url, body, signature))
        headers = {SIGNATURE_HEADER: signature, **JSON_HEADERS}
        if await send_callback("POST", url, body, headers) and self.after_event:
            await self.after_event()

    async def _settle(self, session: dict[str, Any], status: str) -> None:
        session["status"] = status
        if session["mode"] == "wrong_amount" and status == "paid":
            session["amount"] = str(Decimal(session["amount"]) + 1)
        if session["mode"] != "silent":
            await self.send_event(session, f"session.{status}")

    async def _pay_late(self, session: dict[str, Any]) -> None:
        await asyncio.sleep(self.late_seconds)
        await self._settle(session, "paid")

    def _run_later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _cancel_tasks(self, app: web.Application) -> None:
        for task in self.tasks:
            task.cancel()

    def _with_key(self, handler: Any) -> Any:
        async def authenticated(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {API_KEY}":
                return web.json_response({"error": "who are you?"}, status=401)
            answer: web.StreamResponse = await handler(request)
            return answer

        return authenticated

    async def _create_session(self, request: web.Request) -> web.StreamResponse:
        body, key = await request.json(), request.headers.get("Idempotency-Key", "")
        session = self.sessions.get(f"s-{key}")
        if session:
            return web.json_response(self._public(session))
        session = {
            **body,
            "id": f"s-{key}",
            "status": "open",
            "mode": self.mode,
            "day": f"{self.now():%Y-%m-%d}",
        }
        self.sessions[session["id"]] = session
        if self.mode == "early_event":
            await self.send_event(session, "session.open")
        if self.mode == "error_first":
            return web.json_response({"error": "try again"}, status=500)
        return web.json_response(self._public(session), status=201)

    async def _get_session(self, request: web.Request) -> web.StreamResponse:
        session = self.sessions.get(request.match_info["id"])
        if session is None:
            return web.json_response({"error": "no such session"}, status=404)
        self._expire_if_over(session)
        return web.json_response(self._public(session))

    async def _close_session(self, request: web.Request) -> web.StreamResponse:
        session = self.sessions.get(request.match_info["id"])
        if session is None or session["status"] != "open":
            return web.json_response({"error": "it is not open"}, status=409)
        session["status"] = "expired"
        return web.json_response(self._public(session))

    async def _create_refund(self, request: web.Request) -> web.StreamResponse:
        body, key = await request.json(), request.headers.get("Idempotency-Key", "")
        session = self.sessions.get(body["session"])
        if session is None or session["status"] != "paid":
            return web.json_response({"error": "nothing was paid"}, status=422)
        self.refunds.setdefault(key, body)
        return web.json_response({"id": key}, status=201)

    async def _list_day(self, request: web.Request) -> web.StreamResponse:
        day = request.query.get("day", "")
        return web.json_response(
            {"sessions": [self._public(s) for s in self.sessions.values() if s["day"] == day]}
        )

    async def _show_page(self, request: web.Request) -> web.StreamResponse:
        session = self.sessions.get(request.match_info["id"])
        if session is None:
            return web.Response(status=404)
        mode = session["mode"]
        modes = "".join(f"<option{' selected' if each == mode else ''}>{each}</option>" for each in MODES)
        named = {name: escape(str(session[name])) for name in ("merchant", "label", "amount", "currency")}
        return web.Response(text=PAGE.format(modes=modes, **named), content_type="text/html")

    async def _submit_page(self, request: web.Request) -> web.StreamResponse:
        session, form = self.sessions.get(request.match_info["id"]), await request.post()
        if session is None:
            return web.Response(status=404)
        self._expire_if_over(session)
        if form.get("mode") in MODES:
            session["mode"] = form["mode"]
        await self.press(session["id"], str(form.get("action", "")))
        return web.Response(status=303, headers={"Location": session["return_url"]})

    def _expire_if_over(self, session: dict[str, Any]) -> None:
        if session["status"] == "open" and datetime.fromisoformat(session["expires_at"]) <= self.now():
            session["status"] = "expired"

    def _public(self, session: dict[str, Any]) -> dict[str, Any]:
        names = ("id", "payment", "amount", "currency", "merchant", "status", "expires_at")
        return {
            **{name: session[name] for name in names},
            "url": f"{self.url}/pay/{session['id']}",
            "live": self.is_live,
        }


def payment_settings(url: str) -> dict[str, Any]:
    """Return the settings table `payments` of an operator whose provider is this server."""
    return {
        "provider": "payfake",
        "api_url": url,
        "api_key": API_KEY,
        "webhook_secret": WEBHOOK_SECRET,
        "test_mode": True,
    }
