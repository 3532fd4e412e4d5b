"""Purchase tasks: the steps of the outbox that hand charges over to billing."""

from datetime import datetime, timedelta
from decimal import Decimal

from flows.domain.purchase_records import Charge
from flows.domain.records import DeferredStep

HAND_OVER = "purchase.bill"
PURCHASE_TASKS = frozenset({HAND_OVER})
"""Names of the tasks among the outbox's deferred steps."""
TASK_LIFETIME = timedelta(days=14)
"""A task that has not succeeded in this time is left to people."""


def build_task(charge: Charge, now: datetime, refund: Decimal | None = None) -> DeferredStep:
    """Build the task that hands a charge over, or the `refund` that was given back of it last."""
    about = f"{charge.id} {charge.refunded} {refund}" if refund else charge.id
    key = f"{charge.id}/{HAND_OVER}" + (f"/{charge.refunded}" if refund else "")
    return DeferredStep(key, charge.operator, HAND_OVER, about.encode(), now + TASK_LIFETIME)
