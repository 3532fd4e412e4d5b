"""Orange's interface of the demo's wallet: token, mp/init, mp/pay, mp/paymentstatus."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

from gateway.demo.callback_sender import send_callback
from gateway.demo.wallet.wallet_book import WalletBook, WalletRequest
from gateway.payments.access_token import basic_authorization

CONSUMER_KEY, CONSUMER_SECRET, MERCHANT_TOKEN = "orange-demo", "orange-demo-secret", "orange-demo-token"
MERCHANT_NUMBER, PIN = "691000001", "2222"
MAX_ORDER_CHARACTERS = 20
STATUSES = {None: "PENDING", "paid": "SUCCESSFULL", "rejected": "CANCELLED", "expired": "EXPIRED"}
"""Status by how a request ended; any other end is a failure without a reason."""


@dataclass(slots=True)
class OrangeWallet:
    """Serves Orange's interface over a book; a payment's token takes one request."""

    book: WalletBook
    tokens: set[str] = field(default_factory=set, repr=False)
    prepared: set[str] = field(default_factory=set)

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        self.book.send_callback = self.send_callback
        app, root = web.Application(), "/omcoreapis/1.0.2/mp"
        app.add_routes(
            [
                web.post("/token", self._give_token),
                web.post(f"{root}/init", self._prepare),
                web.post(f"{root}/pay", self._pay),
                web.get(f"{root}/paymentstatus/{{token}}", self._get_status),
            ]
        )
        return app

    async def send_callback(self, request: WalletRequest) -> None:
        """Post the result to the merchant's URL, unsigned."""
        body = {"payToken": request.reference, "status": STATUSES.get(request.end, "FAILED")}
        await send_callback("POST", request.callback_url, json.dumps(body).encode())

    async def _give_token(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != basic_authorization(CONSUMER_KEY, CONSUMER_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 3_600})

    async def _prepare(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request):
            return _refuse(401, "unauthorized")
        token = f"MP{len(self.prepared):06}"
        self.prepared.add(token)
        return web.json_response({"message": "Payment initiated", "data": {"payToken": token}})

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request):
            return _refuse(401, "unauthorized")
        body = await request.json()
        if body["pin"] != PIN or body["channelUserMsisdn"] != MERCHANT_NUMBER:
            return _refuse(403, "unknown merchant")
        if body["payToken"] not in self.prepared or len(body["orderId"]) > MAX_ORDER_CHARACTERS:
            return _refuse(400, "bad request")
        if self.book.fails_first(body["payToken"]):
            return _refuse(500, "try again")
        wanted = WalletRequest(
            reference=body["payToken"],
            external_id=body["orderId"],
            amount=Decimal(body["amount"]),
            currency="",
            payer=body["subscriberMsisdn"],
            callback_url=body["notifUrl"],
            mode=self.book.mode,
            message=body["description"],
        )
        if not await self.book.add(wanted):
            return _refuse(417, "payment already requested")
        if wanted.mode == "lost_answer" and request.transport:
            request.transport.abort()
        return web.json_response({"message": "Merchant payment successfully initiated", "data": _data(wanted)})

    async def _get_status(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request):
            return _refuse(401, "unauthorized")
        token = request.match_info["token"]
        if found := self.book.find(token):
            return web.json_response({"message": "Transaction retrieved", "data": _data(found)})
        if token in self.prepared:
            return web.json_response({"message": "Transaction retrieved", "data": {"status": "INITIATED"}})
        return _refuse(404, "unknown payment")

    def _is_authorized(self, request: web.Request) -> bool:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        return token in self.tokens and request.headers.get("X-AUTH-TOKEN") == MERCHANT_TOKEN


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _data(request: WalletRequest) -> dict[str, Any]:
    return {
        "payToken": request.reference,
        "orderId": request.external_id,
        "amount": str(request.amount),
        "subscriberMsisdn": request.payer,
        "status": STATUSES.get(request.end, "FAILED"),
    }


def orange_settings(url: str) -> dict[str, Any]:
    """Return the settings table `wallet` of an operator whose wallet is this stand-in."""
    return {
        "provider": "orange_money",
        "api_url": url,
        "api_user": CONSUMER_KEY,
        "api_key": CONSUMER_SECRET,
        "merchant_token": MERCHANT_TOKEN,
        "account": MERCHANT_NUMBER,
        "pin": PIN,
        "country_code": "40",
    }
