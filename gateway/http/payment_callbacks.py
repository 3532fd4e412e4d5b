"""Payment callback endpoint: a verified callback is a hint; the provider is then asked itself."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure
from flows.domain.payment_ports import PaymentIntents, Payments
from flows.domain.payment_records import PaymentChange, PaymentHint, PaymentIntent
from flows.payments.tasks import CHECK, build_task
from gateway.http.guard import UNAUTHENTIC_STATUS, Guard

log = logging.getLogger("dialtree.payments")
PAYMENT_CALLBACK_PATH = "/hooks/{operator}/{provider}/payment"


@dataclass(frozen=True, slots=True)
class PaymentCallbackHandler:
    """aiohttp handler of `PAYMENT_CALLBACK_PATH`, for all operators and providers.

    A callback changes nothing by itself, so one that is replayed, late, early or out of order does no harm.
    """

    guard: Guard = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    now: Callable[[], datetime]

    async def handle_callback(self, request: web.Request) -> web.Response:
        """Answer 200 once it is noted, 401 when forged, old or not ours, 503 to have it sent again."""
        operator, provider = request.match_info["operator"], request.match_info["provider"]
        ports = self.operators.get(operator)
        payments = _find_provider(ports, provider) if ports else None
        if ports is None or ports.intents is None or payments is None:
            return web.Response(status=404)
        try:
            status = await self._note_callback(request, operator, payments, ports.intents)
        except BadRequest as error:
            extra = {"operator": operator, "provider": provider, "status": error.status}
            log.warning("payments.callback_refused", extra=extra)
            return web.Response(status=error.status, text=f"{error}\n")
        except Failure as failure:
            log.error("payments.callback_lost", extra={"operator": operator, "failure": type(failure).__name__})
            return web.Response(status=503, headers={"Retry-After": "5"})
        return web.Response(status=status)

    async def _note_callback(
        self, request: web.Request, operator: str, payments: Payments, intents: PaymentIntents
    ) -> int:
        headers, now = request.headers, self.now()

        def verify(body: bytes) -> PaymentHint:
            hint = payments.read_callback(headers, body, now)
            if hint.is_test:
                raise BadRequest("a test payment counts only with payments.test_mode", UNAUTHENTIC_STATUS)
            return hint

        hint = await self.guard.read_signed_event(request, verify)
        if not hint.intent_id:
            return 200
        intent = await intents.find_intent(operator, hint.intent_id)
        if intent is None or _is_other_payment(intent, hint, payments.name):
            raise BadRequest("this payment is not ours", UNAUTHENTIC_STATUS)
        await self._enqueue_check(intent, hint, payments.name, intents)
        return 200

    async def _enqueue_check(
        self, intent: PaymentIntent, hint: PaymentHint, provider: str, intents: PaymentIntents
    ) -> None:
        """Note the provider's reference if its answer was lost, and have the payment checked once per event."""
        now = self.now()
        if hint.reference and not intent.reference:
            change = PaymentChange(intent.id, ("confirmed",), "pending", now, reference=hint.reference)
            await intents.advance(change)
        task = build_task(CHECK, intent, now, hint.event_id)
        await intents.record_callback(hint, provider, task, now)


def _is_other_payment(intent: PaymentIntent, hint: PaymentHint, provider: str) -> bool:
    """Return whether a callback is about another payment than the intent it names."""
    if intent.provider != provider:
        return True
    return bool(intent.reference and hint.reference not in ("", intent.reference))


def _find_provider(ports: OperatorPorts, name: str) -> Payments | None:
    """Return the operator's provider or wallet of this name."""
    found = (each for each in (ports.payments, ports.wallet) if each is not None and each.name == name)
    return next(found, None)
