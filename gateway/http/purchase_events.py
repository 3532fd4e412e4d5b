"""Purchase event endpoint: signed events of an operator's own charging system, each counted once."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.domain.failures import BadRequest, Failure, Refused
from flows.purchases.charging import PurchaseCharging
from gateway.http.guard import Guard
from gateway.payments.signed_body import verify_signed_body
from gateway.purchases.merchant_settings import PurchaseEventSettings
from gateway.purchases.purchase_event import PurchaseEvent, read_purchase_event

log = logging.getLogger("dialtree.purchases")
PURCHASE_EVENT_PATH = "/hooks/{operator}/purchases/events"
PURCHASE_SIGNATURE_HEADER = "Purchase-Signature"
"""`t=SECONDS,v1=HEX`, as `gateway/payments/signed_body.py` says."""


@dataclass(frozen=True, slots=True)
class PurchaseEventHandler:
    """aiohttp handler of `PURCHASE_EVENT_PATH`, for all operators."""

    guard: Guard = field(repr=False)
    charging_for: Callable[[str], PurchaseCharging] = field(repr=False)
    """Returns the charging of an operator, built on its current menu."""
    sources: Mapping[str, PurchaseEventSettings] = field(repr=False)
    """Settings by operator; an operator without any accepts no events."""
    now: Callable[[], datetime]

    async def handle_event(self, request: web.Request) -> web.Response:
        """Answer 204 once it is counted or nothing is to do, 4xx for a bad event, 503 to have it sent again."""
        operator = request.match_info["operator"]
        source = self.sources.get(operator)
        if source is None:
            return web.Response(status=404)
        try:
            event = await self._read_event(request, operator, source)
            await self._apply_event(operator, event)
        except BadRequest as error:
            log.warning("purchases.event_refused", extra={"operator": operator, "status": error.status})
            return web.Response(status=error.status, text=f"{error}\n")
        except Refused as failure:
            extra = {"operator": operator, "failure": type(failure).__name__}
            log.warning("purchases.event_ignored", extra=extra)
        except Failure as failure:
            extra = {"operator": operator, "failure": type(failure).__name__}
            log.warning("purchases.unavailable", extra=extra)
            return web.Response(status=503, headers={"Retry-After": "5"})
        return web.Response(status=204)

    async def _read_event(
        self, request: web.Request, operator: str, source: PurchaseEventSettings
    ) -> PurchaseEvent:
        signature, now = request.headers.get(PURCHASE_SIGNATURE_HEADER, ""), self.now()
        money = self.charging_for(operator).menu.config.currency

        def verify(body: bytes) -> PurchaseEvent:
            verify_signed_body(signature, body, source.secrets, now)
            return read_purchase_event(body, money, now, is_listed=source.listed_by_billing)

        return await self.guard.read_signed_event(request, verify)

    async def _apply_event(self, operator: str, event: PurchaseEvent) -> None:
        charging = self.charging_for(operator)
        if event.made is not None:
            await charging.record(event.made)
        elif event.kind == "cancelled":
            await charging.take_back(event.merchant, event.payment)
