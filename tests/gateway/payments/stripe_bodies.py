"""Bodies of Stripe's interface in the documented form, and a server on loopback that answers them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.http.listening import serve_app

SECRET_KEY, SIGNING_SECRET = "stripe-key-of-the-tests", "stripe-signing-secret-of-the-tests"
SESSION: dict[str, Any] = {
    "id": "cs_live_a1b2c3",
    "object": "checkout.session",
    "amount_subtotal": 3499,
    "amount_total": 3499,
    "client_reference_id": "0123456789abcdef0123456789abcdef",
    "currency": "eur",
    "customer_details": {"email": "payer@example.test", "name": None},
    "expires_at": 1_773_140_400,
    "livemode": True,
    "metadata": {},
    "mode": "payment",
    "payment_intent": {"id": "pi_3Abc", "object": "payment_intent", "status": "succeeded"},
    "payment_status": "paid",
    "status": "complete",
    "success_url": "https://gw.example.net/orange-fr/paid",
    "url": None,
}
OPEN_SESSION = SESSION | {
    "payment_intent": None,
    "payment_status": "unpaid",
    "status": "open",
    "url": "https://checkout.stripe.com/c/pay/cs_live_a1b2c3#fid",
}
REFUND: dict[str, Any] = {"id": "re_1Abc", "object": "refund", "status": "succeeded"}


def event_body(session: dict[str, Any], kind: str = "checkout.session.completed", **more: Any) -> bytes:
    """Return an event about a session."""
    event = {
        "id": "evt_1Abc",
        "object": "event",
        "api_version": "2024-06-20",
        "created": 1_773_136_800,
        "data": {"object": session},
        "livemode": True,
        "type": kind,
    }
    return json.dumps(event | more).encode()


@dataclass
class StripeServer:
    """Answers the calls of the adapter and remembers them."""

    session: dict[str, Any]
    url: str = ""
    calls: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    """Method, path, form and idempotency key of every call."""
    refunds: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            return web.json_response({"error": {"type": "invalid_request_error"}}, status=401)
        form = {name: str(value) for name, value in (await request.post()).items()}
        key = request.headers.get("Idempotency-Key", "")
        self.calls.append((request.method, request.path, form, key))
        if request.path == "/v1/refunds" and request.method == "GET":
            return web.json_response({"object": "list", "data": self.refunds, "has_more": False})
        if request.path == "/v1/refunds":
            self.refunds = [REFUND]
            return web.json_response(REFUND)
        if request.method == "GET" and request.path == "/v1/checkout/sessions":
            return web.json_response({"object": "list", "data": [self.session], "has_more": False})
        return web.json_response(self.session)


@asynccontextmanager
async def serve_stripe(session: dict[str, Any]) -> AsyncIterator[StripeServer]:
    """Serve these answers on a free port."""
    server = StripeServer(session)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with serve_app(app, "127.0.0.1", 0) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
