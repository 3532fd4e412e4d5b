"""Notifications to merchants: CloudEvents of payments and refunds (CAMARA), delivered by the outbox."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flows.domain.purchase_records import Charge, ChargeState, NotificationSink, Refund
from flows.domain.records import DeferredStep

NOTIFY = "purchase.notify"
"""Name of the task among the outbox's deferred steps."""
NOTIFICATION_LIFETIME = timedelta(days=1)
PAYMENT_TYPES: Mapping[ChargeState, str] = {
    "pending_validation": "payment-pending-validation",
    "reserved": "payment-reserved",
    "succeeded": "payment-completed",
    "cancelled": "payment-cancelled",
}
"""Event type by the state a payment has come to; a denied one was refused and is no payment."""


def build_payment_notification(charge: Charge) -> tuple[DeferredStep, ...]:
    """Return the task that tells the merchant of the charge's state; none where it asked for none."""
    kind = PAYMENT_TYPES.get(charge.state)
    if charge.sink is None or kind is None:
        return ()
    data = {"paymentId": charge.id, "status": "succeeded", "description": charge.label}
    if charge.state == "succeeded":
        data["paymentDate"] = charge.changed_at.isoformat()
    event = _build_event(f"{charge.id}/{charge.state}", "carrier-billing", kind, charge.changed_at, data)
    return (_build_task(charge, charge.sink, event, charge.changed_at),)


def build_refund_notification(charge: Charge, refund: Refund, sink: NotificationSink) -> DeferredStep:
    """Return the task that tells the merchant of a refund."""
    data = {"paymentId": charge.id, "refundId": refund.id, "status": "succeeded", "description": charge.label}
    data["refundDate"] = refund.created_at.isoformat()
    event = _build_event(refund.id, "carrier-billing-refund", "refund-completed", refund.created_at, data)
    return _build_task(charge, sink, event, refund.created_at)


def _build_event(
    event_id: str, interface: str, kind: str, at: datetime, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a CloudEvent 1.0; its id is the same however often it is delivered."""
    return {
        "id": event_id,
        "source": f"/camara/{interface}",
        "specversion": "1.0",
        "type": f"org.camaraproject.{interface}.v0.{kind}",
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }


def _build_task(charge: Charge, sink: NotificationSink, event: Mapping[str, Any], at: datetime) -> DeferredStep:
    """Build the task; it ends with the merchant's access token."""
    content = {"merchant": charge.merchant, "url": sink.url, "token": sink.token, "event": event}
    lasts_until = at + NOTIFICATION_LIFETIME
    return DeferredStep(
        key=f"{event['id']}/{NOTIFY}",
        operator=charge.operator,
        step=NOTIFY,
        session=json.dumps(content).encode(),
        expires_at=min(lasts_until, sink.token_expires_at or lasts_until),
    )
