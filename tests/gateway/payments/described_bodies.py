"""Bodies of PayZen and ClicToPay in the form their published documents have, and a server that answers them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.http.listening import serve_app

INTENT = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def payzen_order(**changed: Any) -> dict[str, Any]:
    """Return the answer of Order/Get about a paid order; `changed` replaces parts of its transaction."""
    transaction = {
        "uuid": "de7dc1ffc2a44a4ba3e0d3a7b4a0a1c1",
        "amount": 3499,
        "currency": "EUR",
        "status": "PAID",
        "detailedStatus": "AUTHORISED",
        "operationType": "DEBIT",
    }
    details = {"orderTotalAmount": 3499, "orderCurrency": "EUR", "mode": "PRODUCTION", "orderId": INTENT}
    answer = {
        "shopId": "69876357",
        "orderCycle": "CLOSED",
        "orderStatus": "PAID",
        "orderDetails": details,
        "transactions": [transaction | changed],
        "_type": "V4/Payment",
    }
    return {"webService": "Order/Get", "version": "V4", "status": "SUCCESS", "answer": answer}


PAYZEN_PAGE = {
    "webService": "Charge/CreatePaymentOrder",
    "version": "V4",
    "status": "SUCCESS",
    "answer": {
        "paymentOrderId": "8e3a95b7bcf24d7eb1ba1aa8df7d7e11",
        "paymentURL": "https://secure.payzen.eu/t/7qk42m9t",
        "paymentOrderStatus": "RUNNING",
        "amount": 3499,
        "currency": "EUR",
        "orderId": INTENT,
        "_type": "V4/PaymentOrder",
    },
}
PAYZEN_MISSING = {
    "webService": "Order/Get",
    "version": "V4",
    "status": "ERROR",
    "answer": {"errorCode": "PSP_010", "errorMessage": "transaction not found"},
}
CLICTOPAY_PAGE = {
    "orderId": "70906e55-7114-41d6-8332-4609dc6590f4",
    "formUrl": "https://ipay.clictopay.com/payment/merchants/CLICTOPAY/payment_fr.html?mdOrder=70906e55",
}
CLICTOPAY_MISSING = {"errorCode": "6", "errorMessage": "Unknown order id"}


def clictopay_order(**changed: Any) -> dict[str, Any]:
    """Return the answer of getOrderStatusExtended.do about a deposited order."""
    order = {
        "errorCode": "0",
        "errorMessage": "Success",
        "orderNumber": INTENT,
        "orderStatus": 2,
        "actionCode": 0,
        "amount": 45230,
        "currency": "788",
    }
    return order | changed


@dataclass
class CannedServer:
    """Answers each path with its body and remembers what it was asked."""

    answers: dict[str, dict[str, Any]]
    url: str = ""
    requests: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    """Path, fields and Authorization header of each request."""

    async def answer_request(self, request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        fields = await request.json() if is_json else dict(await request.post())
        path = request.path.lstrip("/")
        self.requests.append((path, fields, request.headers.get("Authorization", "")))
        return web.json_response(self.answers[path])


@asynccontextmanager
async def serve_bodies(answers: dict[str, dict[str, Any]]) -> AsyncIterator[CannedServer]:
    """Serve the answers on a loopback port."""
    canned, app = CannedServer(answers), web.Application()
    app.router.add_post("/{path:.*}", canned.answer_request)
    async with serve_app(app, "127.0.0.1", 0) as port:
        canned.url = f"http://127.0.0.1:{port}"
        yield canned
