"""Signed events of an operator's own charging system: told, counted, shown, given back, each once."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession

from flows.domain.purchase_records import Charge
from gateway.http.listening import serve_app
from gateway.http.purchase_events import PURCHASE_SIGNATURE_HEADER
from gateway.payments.signed_body import sign_body
from gateway.server.app import public_app
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

LUC, PATH = "+33660000101", "/hooks/bouygues/purchases/events"
SECRET = "a secret of the charging system"
TYPE = "org.camaraproject.carrier-billing.v0.payment-"


def build_event(kind: str = "completed", **changed: Any) -> dict[str, Any]:
    data = {
        "paymentId": "p-1",
        "status": "succeeded",
        "description": "Film 7",
        "paymentDate": "2026-03-10T08:00:00Z",
        "phoneNumber": LUC,
        "amount": 4.99,
        "currency": "EUR",
        "merchant": "cineplus",
        "category": "streaming",
    }
    head = {"id": "e-1", "source": "https://bss.example.net", "specversion": "1.0", "type": TYPE + kind}
    return {**head, "time": "2026-03-10T08:00:01Z", "data": data | changed}


@dataclass
class EventSource:
    """The operator's charging system, and what became of its events."""

    sandbox: GatewaySandbox
    client: ClientSession
    url: str

    async def send(self, event: Any, secret: str = SECRET) -> int:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = sign_body(secret.encode(), body, int(self.sandbox.clock().timestamp()))
        headers = {PURCHASE_SIGNATURE_HEADER: signed}
        async with self.client.post(self.url + PATH, data=body, headers=headers) as answer:
            return answer.status

    async def texts(self) -> list[str]:
        return [each.body for each in await self.sandbox.messages.collect_new()]

    async def charges(self) -> list[Charge]:
        charges = self.sandbox.container.operators["bouygues"].charges
        found = await charges.list_month("bouygues", f"bouygues-{LUC[1:]}", "2026-03") if charges else ()
        return [each for each in found if each.merchant == "cineplus"]

    async def say(self, words: str) -> str:
        return "\n".join((await self.sandbox.direct_line().send_text(LUC, "61064", words)).lines)


@pytest.fixture
async def source(sandboxes: SandboxFactory) -> AsyncIterator[EventSource]:
    table = {"purchases": {"events": {"secret": SECRET, "listed_by_billing": False}}}
    more = {"operators": {"bouygues": table}}
    async with (
        sandboxes.open("2026-03-10 09:30", operator="bouygues", more=more) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        yield EventSource(sandbox, client, f"http://127.0.0.1:{port}")


async def test_B20_an_event_is_told_once_however_often_it_comes(source: EventSource) -> None:
    assert [await source.send(build_event()) for _ in range(3)] == [204, 204, 204]
    (text,) = await source.texts()
    assert "4,99" in text and "Film 7" in text and "10/03 09:00" in text and "BLOQ cineplus" in text
    (charge,) = await source.charges()
    assert charge.state == "succeeded" and charge.amount == Decimal("4.99")


async def test_B16_it_counts_towards_the_month_and_its_alert(source: EventSource) -> None:
    await source.say("ALERTE 5")
    await source.send(build_event())
    alert = [each for each in await source.texts() if "alerte" in each]
    assert len(alert) == 1 and "6,79" in alert[0]


async def test_B17_it_is_in_the_history_by_category(source: EventSource) -> None:
    await source.send(build_event())
    shown = await source.say("ACHATS")
    assert "Streaming 4,99" in shown and "Stationnement 1,80" in shown


async def test_a_purchase_that_is_cancelled_later_is_given_back_once(source: EventSource) -> None:
    await source.send(build_event())
    assert [await source.send(build_event("cancelled")) for _ in range(2)] == [204, 204]
    (charge,) = await source.charges()
    assert charge.refunded == charge.amount
    assert len([each for each in await source.texts() if "rendus" in each]) == 1
    assert await source.send(build_event("cancelled", paymentId="unknown")) == 204


async def test_what_the_system_has_charged_is_not_decided_again(source: EventSource) -> None:
    await source.say("BLOQ TOUT")
    await source.send(build_event(amount=90))
    (charge,) = await source.charges()
    assert charge.state == "succeeded"


async def test_a_forged_event_counts_for_nothing(source: EventSource) -> None:
    assert await source.send(build_event(), "another secret of somebody") == 401
    assert await source.charges() == [] and await source.texts() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": -1},
        {"amount": 0},
        {"amount": 1.005},
        {"amount": "NaN"},
        {"currency": "USD"},
        {"phoneNumber": "0660000101"},
        {"merchant": "Ciné plus"},
        {"category": "games"},
        {"paymentDate": "2026-03-10T08:00:00"},
        {"paymentDate": "2026-03-12T09:30:00Z"},
        {"paymentDate": "9999-12-31T23:59:59Z"},
        {"paymentDate": "0001-01-01T00:00:00+23:00"},
        {"description": "\ud800"},
        {"amount": True},
        {"amount": [4.99]},
        {"description": "a\u0000b"},
        {"paymentId": ""},
    ],
    ids=str,
)
async def test_an_event_that_cannot_be_meant_is_refused(source: EventSource, changed: dict[str, Any]) -> None:
    assert await source.send(build_event(**changed)) == 400
    assert await source.charges() == []


async def test_other_types_and_strangers_are_acknowledged(source: EventSource) -> None:
    assert await source.send(build_event("reserved")) == 204
    assert await source.send(build_event(phoneNumber="+33660009999")) == 204
    assert await source.send(b"[") == 400 and await source.texts() == []


async def test_an_operator_without_the_setting_has_no_such_address(source: EventSource) -> None:
    async with source.client.post(f"{source.url}/hooks/orange-ro/purchases/events", data=b"{}") as answer:
        assert answer.status == 404
