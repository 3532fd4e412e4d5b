"""Purchase tasks: the steps of the outbox that hand charges over to billing."""

from datetime import datetime, timedelta

from flows.domain.purchase_records import Charge, Refund
from flows.domain.records import DeferredStep

HAND_OVER = "purchase.bill"
PURCHASE_TASKS = frozenset({HAND_OVER})
"""Names of the tasks among the outbox's deferred steps."""
TASK_LIFETIME = timedelta(days=14)
"""A task that has not succeeded in this time is left to people."""


def build_task(charge: Charge, now: datetime) -> DeferredStep:
    """Build the task that hands a charge over."""
    key, about = f"{charge.id}/{HAND_OVER}", charge.id.encode()
    return DeferredStep(key, charge.operator, HAND_OVER, about, now + TASK_LIFETIME)


def build_refund_task(charge: Charge, refund: Refund) -> DeferredStep:
    """Build the task that hands a refund over, after its charge."""
    key, about = f"{refund.id}/{HAND_OVER}", f"{charge.id} {refund.id}".encode()
    return DeferredStep(key, charge.operator, HAND_OVER, about, refund.created_at + TASK_LIFETIME)
