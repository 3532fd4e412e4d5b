"""MTN's interface of the demo's wallet: tokens, requesttopay, refunds, statuses, callbacks by PUT."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

from gateway.demo.callback_sender import send_callback
from gateway.demo.wallet.wallet_book import WalletBook, WalletRefund, WalletRequest
from gateway.payments.access_token import basic_authorization

MTN_USER, MTN_KEY, SUBSCRIPTION_KEY = "c72025f5-demo", "mtn-demo-api-key", "mtn-demo-subscription"
TOKEN_SECONDS = 3_600
REASONS = {
    "rejected": "APPROVAL_REJECTED",
    "no_funds": "NOT_ENOUGH_FUNDS",
    "over_limit": "PAYER_LIMIT_REACHED",
    "no_wallet": "PAYER_NOT_FOUND",
    "expired": "EXPIRED",
}
REFUND_STATUSES = {None: "PENDING", "made": "SUCCESSFUL", "failed": "FAILED"}


@dataclass(slots=True)
class MtnWallet:
    """Serves MTN's interface over a book; every token is good for one product and can be revoked."""

    book: WalletBook
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """Product of each token that is valid."""
    sent_callbacks: list[tuple[str, dict[str, Any]]] = field(default_factory=list, repr=False)

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        self.book.send_callback = self.send_callback
        app = web.Application()
        app.add_routes(
            [
                web.post("/{product}/token/", self._give_token),
                web.post("/collection/v1_0/requesttopay", self._request_to_pay),
                web.get("/collection/v1_0/requesttopay/{reference}", self._get_status),
                web.post("/disbursement/v1_0/refund", self._refund),
                web.get("/disbursement/v1_0/refund/{key}", self._get_refund),
            ]
        )
        return app

    async def send_callback(self, request: WalletRequest) -> None:
        """Put the result to the merchant's URL, unsigned and without a retry, as MTN does."""
        body = _result(request)
        self.sent_callbacks.append((request.callback_url, body))
        await send_callback("PUT", request.callback_url, json.dumps(body).encode())

    async def _give_token(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != basic_authorization(MTN_USER, MTN_KEY):
            return web.json_response({"error": "invalid_client"}, status=401)
        if request.headers.get("Ocp-Apim-Subscription-Key") != SUBSCRIPTION_KEY:
            return web.json_response({"statusCode": 401, "message": "Access denied"}, status=401)
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = request.match_info["product"]
        return web.json_response(
            {"access_token": token, "token_type": "access_token", "expires_in": TOKEN_SECONDS}
        )

    async def _request_to_pay(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request, "collection"):
            return web.json_response({"message": "Unauthorized"}, status=401)
        reference, body = request.headers["X-Reference-Id"], await request.json()
        if self.book.fails_first(reference):
            return web.json_response({"code": "INTERNAL_PROCESSING_ERROR"}, status=500)
        wanted = WalletRequest(
            reference=reference,
            external_id=body["externalId"],
            amount=Decimal(body["amount"]),
            currency=body["currency"],
            payer=body["payer"]["partyId"],
            callback_url=request.headers.get("X-Callback-Url", ""),
            mode=self.book.mode,
            message=body["payerMessage"],
        )
        if not await self.book.add(wanted):
            return web.json_response({"code": "RESOURCE_ALREADY_EXIST"}, status=409)
        if wanted.mode == "lost_answer" and request.transport:
            request.transport.abort()
        return web.Response(status=202)

    async def _get_status(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request, "collection"):
            return web.json_response({"message": "Unauthorized"}, status=401)
        found = self.book.find(request.match_info["reference"])
        if found is None:
            return web.json_response({"code": "RESOURCE_NOT_FOUND"}, status=404)
        return web.json_response(_result(found))

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request, "disbursement"):
            return web.json_response({"message": "Unauthorized"}, status=401)
        key, body = request.headers["X-Reference-Id"], await request.json()
        paid = self.book.requests.get(body["referenceIdToRefund"])
        if paid is None or paid.end != "paid" or paid.amount < Decimal(body["amount"]):
            return web.json_response({"code": "NOT_ALLOWED"}, status=400)
        if key in self.book.refunds:
            return web.json_response({"code": "RESOURCE_ALREADY_EXIST"}, status=409)
        self.book.refunds[key] = WalletRefund(Decimal(body["amount"]))
        return web.Response(status=202)

    async def _get_refund(self, request: web.Request) -> web.StreamResponse:
        if not self._is_authorized(request, "disbursement"):
            return web.json_response({"message": "Unauthorized"}, status=401)
        refund = self.book.find_refund(request.match_info["key"])
        if refund is None:
            return web.json_response({"code": "RESOURCE_NOT_FOUND"}, status=404)
        return web.json_response({"amount": str(refund.amount), "status": REFUND_STATUSES[refund.end]})

    def _is_authorized(self, request: web.Request, product: str) -> bool:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        has_environment = bool(request.headers.get("X-Target-Environment"))
        return self.tokens.get(token) == product and has_environment


def _result(request: WalletRequest) -> dict[str, Any]:
    """Return a request's state in the form of MTN's status and callback."""
    body: dict[str, Any] = {
        "amount": str(request.amount),
        "currency": request.currency,
        "externalId": request.external_id,
        "payer": {"partyIdType": "MSISDN", "partyId": request.payer},
        "status": "PENDING",
    }
    if request.end == "paid":
        return body | {"status": "SUCCESSFUL", "financialTransactionId": "23503452"}
    if request.end:
        return body | {"status": "FAILED", "reason": REASONS[request.end]}
    return body


def mtn_settings(url: str) -> dict[str, Any]:
    """Return the settings table `wallet` of an operator whose wallet is this stand-in."""
    return {
        "provider": "mtn_momo",
        "api_url": url,
        "api_user": MTN_USER,
        "api_key": MTN_KEY,
        "subscription_key": SUBSCRIPTION_KEY,
        "refund_subscription_key": SUBSCRIPTION_KEY,
        "target_environment": "sandbox",
        "test_mode": True,
    }
