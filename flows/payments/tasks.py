"""Payment tasks: the steps that run from the outbox, and when the provider is asked again."""

from datetime import datetime, timedelta

from flows.domain.payment_records import PAYMENT_CHECK, PaymentIntent
from flows.domain.records import AuditEntry, DeferredStep

CHECK, BOOK, REFUND = PAYMENT_CHECK, "payment.book", "payment.refund"
TASKS = frozenset({CHECK, BOOK, REFUND})
"""Names of the tasks among the outbox's deferred steps."""
BOOKING_TASKS = frozenset({BOOK})
"""Those of them that post to billing."""
TASK_LIFETIME = timedelta(days=14)
"""A task that has not succeeded in this time is left to people."""
POLL_SECONDS = ((60, 20), (600, 60), (3_600, 300), (21_600, 1_800), (86_400, 3_600))
"""Age of a payment in seconds, and how long to wait then before asking the provider again; later, a day."""
LATEST_POLL_SECONDS = 86_400


def build_task(name: str, intent: PaymentIntent, now: datetime, cause: str = "") -> DeferredStep:
    """Build a task of an intent: one per name, or one per name and cause."""
    key = f"{intent.id}/{name}" + (f"/{cause}" if cause else "")
    return DeferredStep(key, intent.operator, name, intent.id.encode(), now + TASK_LIFETIME)


def poll_wait_seconds(age: timedelta) -> int:
    """Return how long to wait before asking the provider again about a payment of this age."""
    waits = (wait for limit, wait in POLL_SECONDS if age.total_seconds() < limit)
    return next(waits, LATEST_POLL_SECONDS)


def audit_step(intent: PaymentIntent, action: str, now: datetime) -> AuditEntry:
    """Build the audit log entry of a step: who and which payment, never how much."""
    return AuditEntry(intent.operator, intent.subscription, action, now, "payment", intent.id)
