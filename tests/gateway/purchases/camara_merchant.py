"""A merchant's client of the CAMARA interface, with the request it is about to send."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from aiohttp import ClientSession

from flows.domain.records import DeferredStep
from flows.purchases.notifications import NOTIFY
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

RunStep = Callable[[DeferredStep], Awaitable[None]]
LUC, FIRM = "+33660000101", "+33660000103"
TOKEN, GAMES_TOKEN, SLOW_TOKEN = (f"a-token-of-{name}-for-the-tests" for name in ("parkplus", "games", "slow"))
CLIENT_SECRET, NARROW_TOKEN = "a-client-secret-for-the-tests", "a-token-without-scopes-for-tests"
MERCHANTS = {
    "parkplus": {
        **{"token": TOKEN, "client_secret": CLIENT_SECRET, "category": "parking"},
        "sink_hosts": ["merchant.example.net"],
    },
    "narrow": {"token": NARROW_TOKEN, "category": "parking", "scopes": []},
    "gameshop": {"token": GAMES_TOKEN, "category": "content"},
    "slow": {"token": SLOW_TOKEN, "category": "parking", "requests_per_minute": 1},
}
SINK = "https://merchant.example.net/events"
PATHS = {
    "createPayment": "",
    "preparePayment": "/prepare",
    "retrievePayment": "/{payment}",
    "retrievePayments": "{query}",
    "validatePayment": "/{payment}/validate",
    "confirmPayment": "/{payment}/confirm",
    "cancelPayment": "/{payment}/cancel",
    "createRefund": "/{payment}/refunds",
    "retrieveRefunds": "/{payment}/refunds{query}",
    "retrieveRefund": "/{payment}/refunds/{refund}",
    "retrievePaymentRemainingAmount": "/{payment}/refunds/remaining-amount",
}
FIRST_STEPS = ("createPayment", "preparePayment")
numbers = count(1)


def transaction(amount: float = 0.5) -> dict[str, Any]:
    charging = {"amount": amount, "currency": "EUR", "description": "Zone 2", "isTaxIncluded": True}
    return {
        "amountTransaction": {
            "phoneNumber": LUC,
            "clientCorrelator": f"c-{next(numbers)}",
            "paymentAmount": {"chargingInformation": charging},
            "referenceCode": f"r-{next(numbers)}",
        }
    }


def sink_credential(ends: str, token: str = "a-token-of-the-merchant") -> dict[str, str]:
    about = {"credentialType": "ACCESSTOKEN", "accessTokenType": "bearer"}
    return {**about, "accessToken": token, "accessTokenExpiresUtc": ends}


def refund_of(amount: float = 0.1) -> dict[str, Any]:
    charging = {"amount": amount, "currency": "EUR", "description": "Zone 2", "isTaxIncluded": True}
    about = {"clientCorrelator": f"c-{next(numbers)}", "referenceCode": f"r-{next(numbers)}"}
    return {
        "type": "partial",
        "amountTransaction": {**about, "refundAmount": {"chargingInformation": charging}},
    }


@dataclass
class Merchant:
    """A merchant's client, and the request it is about to send."""

    sandbox: GatewaySandbox
    client: ClientSession
    url: str
    body: Any = None
    token: str = TOKEN
    payment: str = ""
    refund: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, operation: str) -> tuple[int, dict[str, str], Any]:
        method = "GET" if operation.startswith("retrieve") else "POST"
        data = None if self.body is None or method == "GET" else json.dumps(self.body)
        path = PATHS[operation].format(payment=self.payment, refund=self.refund, query=self.query)
        url = self.url
        if "efund" in PATHS[operation]:
            url = url.replace("carrier-billing/v0.5", "carrier-billing-refund/v0.3")
        headers = {"Content-Type": "application/json", "x-correlator": "x-1", **self.headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.client.request(method, url + path, data=data, headers=headers) as got:
            text = await got.text()
            return got.status, dict(got.headers), json.loads(text) if text else None

    async def make_payment(self, operation: str, amount: float = 0.5) -> dict[str, Any]:
        maker = Merchant(self.sandbox, self.client, self.url, transaction(amount))
        status, _, made = await maker.send(operation)
        assert status == 201, made
        return dict(made)

    async def fetch_token(self, scope: str = "") -> str:
        """Return an access token by OAuth 2.0 client credentials."""
        form = {"grant_type": "client_credentials", "scope": scope}
        client = {"client_id": "parkplus", "client_secret": CLIENT_SECRET}
        url = self.url.replace("carrier-billing/v0.5/payments", "token")
        async with self.client.post(url, data=form | client) as got:
            assert got.status == 200, await got.text()
            return str((await got.json())["access_token"])

    async def make_refund(self, amount: float = 0.1, **other: Any) -> dict[str, Any]:
        maker = Merchant(self.sandbox, self.client, self.url, refund_of(amount) | other, payment=self.payment)
        status, _, made = await maker.send("createRefund")
        assert status == 201, made
        return dict(made)

    async def read_code(self) -> str:
        texts = [each.body for each in await self.sandbox.messages.collect_new()]
        return next(
            word for text in reversed(texts) for word in text.split() if len(word) == 6 and word.isdecimal()
        )

    async def prepare_default(self, operation: str) -> None:
        """Set the request that the scenarios call the default one."""
        if operation in FIRST_STEPS:
            self.body = transaction()
            return
        if "efund" in PATHS[operation]:
            self.payment, self.body = (await self.make_payment("createPayment"))["paymentId"], refund_of()
            self.refund = (await self.make_refund())["refundId"] if operation == "retrieveRefund" else ""
            return
        self.sandbox.clock.advance(timedelta(hours=25))  # so many codes a day go to a line
        made = await self.make_payment("preparePayment", 12.0 if operation == "validatePayment" else 0.5)
        self.payment, self.body = made["paymentId"], {"phoneNumber": LUC}
        if operation == "validatePayment":
            code = await self.read_code()
            self.body = {"authorizationId": made["validationInfo"]["authorizationId"], "code": code}


def without_notifications(run: RunStep) -> RunStep:
    """Return what runs deferred steps, notifications left out: no test looks up the merchant's name."""

    async def run_others(step: DeferredStep) -> None:
        if step.step != NOTIFY:
            await run(step)

    return run_others


@asynccontextmanager
async def open_merchant(sandboxes: SandboxFactory) -> AsyncIterator[Merchant]:
    more = {"operators": {"bouygues": {"purchases": {"merchants": MERCHANTS}}}}
    async with sandboxes.open("2026-03-10 09:00", operator="bouygues", more=more) as sandbox:
        worker = sandbox.container.outbox_worker
        worker.run_deferred_step = without_notifications(worker.run_deferred_step)
        line = sandbox.direct_line()
        await line.send_text(LUC, "61064", "PLAFOND 300")
        await line.send_text(LUC, "61064", "4826")
        async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port, ClientSession() as client:
            yield Merchant(
                sandbox, client, f"http://127.0.0.1:{port}/camara/bouygues/carrier-billing/v0.5/payments"
            )
