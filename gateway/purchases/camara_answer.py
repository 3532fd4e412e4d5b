"""Answers of CAMARA carrier billing 0.5: a charge as the interface writes a payment."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flows.domain.purchase_records import HELD_STATES, Charge
from gateway.purchases.camara_request import REFERENCE_KEY


def payment_body(
    charge: Charge, now: datetime, payment_amount: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a charge as a payment; `payment_amount` repeats what the merchant has just sent."""
    body: dict[str, Any] = {
        "paymentId": charge.id,
        "amountTransaction": {
            "phoneNumber": charge.line,
            **({} if charge.correlator.startswith(REFERENCE_KEY) else {"clientCorrelator": charge.correlator}),
            "paymentAmount": payment_amount or stored_amount(charge),
            "referenceCode": charge.reference,
        },
        "paymentStatus": shown_state(charge, now),
        "paymentCreationDate": charge.created_at.isoformat(),
    }
    if charge.sink:
        body["sink"] = charge.sink.url
    if charge.state == "succeeded":
        body["paymentDate"] = charge.changed_at.isoformat()
    if charge.state == "pending_validation":
        body["validationInfo"] = {"action": "validate", "authorizationId": charge.id}
    return body


def shown_state(charge: Charge, now: datetime) -> str:
    """Return the state as merchants see it: a reservation that has lapsed is cancelled."""
    has_lapsed = charge.state in HELD_STATES and not charge.holds_amount(now)
    return "cancelled" if has_lapsed else charge.state


def stored_amount(charge: Charge) -> dict[str, Any]:
    """Return the amount as it is stored: tax included."""
    return {
        "chargingInformation": {
            "amount": charge.amount,
            "currency": charge.currency,
            "description": charge.label,
            "isTaxIncluded": True,
        }
    }


def encode_json(body: object) -> str:
    """Return a body as JSON in ASCII, amounts as numbers: half a surrogate pair has no other form."""
    return json.dumps(body, default=_number)


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
