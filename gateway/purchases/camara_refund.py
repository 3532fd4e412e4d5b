"""Refunds of CAMARA carrier billing refund 0.3: reads requests, writes refunds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flows.domain.purchase_records import Charge, Refund
from flows.purchases.refunding import RefundOrder
from gateway.purchases.camara_errors import invalid_argument
from gateway.purchases.camara_request import (
    MAX_LABEL,
    MAX_REFERENCE,
    REFERENCE_KEY,
    MerchantTerms,
    read_correlator,
    read_gross_amount,
    read_json_object,
    read_part,
    read_text,
)
from gateway.purchases.camara_sink import read_sink

REFUND_PARTS = ("chargingInformation", "chargingMetaData", "refundDetails")
"""Parts of `refundAmount` that the answer repeats."""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A request for a refund, and the parts of it that the answer repeats."""

    order: RefundOrder
    refund_amount: Mapping[str, Any] = field(repr=False)
    reason: str = field(repr=False)


def read_refund(body: bytes, terms: MerchantTerms) -> RefundRequest:
    """Read the body of `createRefund`; CamaraError 400 for one that cannot be used."""
    document = read_json_object(body)
    if document.get("type") not in ("total", "partial"):
        raise invalid_argument("type is neither total nor partial.")
    transaction = read_part(document, "amountTransaction")
    refund_amount = read_part(transaction, "refundAmount")
    details = refund_amount.get("refundDetails", [{}])
    if not isinstance(details, list) or not details or not all(isinstance(each, dict) for each in details):
        raise invalid_argument("refundDetails is not a list of items.")
    reference = read_text(transaction, "referenceCode", MAX_REFERENCE)
    order = RefundOrder(
        type=document["type"],
        amount=_read_amount(document["type"], refund_amount, terms),
        reference=reference,
        correlator=read_correlator(transaction, reference),
        sink=read_sink(document, terms.settings),
    )
    reason = read_text(document, "reason", MAX_LABEL) if "reason" in document else ""
    return RefundRequest(
        order, {each: refund_amount[each] for each in REFUND_PARTS if each in refund_amount}, reason
    )


def refund_body(refund: Refund, charge: Charge, request: RefundRequest | None = None) -> dict[str, Any]:
    """Return a refund; `request` repeats what the merchant has just sent."""
    made_at = refund.created_at.isoformat()
    has_correlator = not refund.correlator.startswith(REFERENCE_KEY)
    return {
        "refundId": refund.id,
        "refundStatus": "succeeded",
        "type": refund.type,
        "refundCreationDate": made_at,
        "refundDate": made_at,
        **({"reason": request.reason} if request and request.reason else {}),
        **({"sink": request.order.sink.url} if request and request.order.sink else {}),
        "amountTransaction": {
            **({"clientCorrelator": refund.correlator} if has_correlator else {}),
            "refundAmount": request.refund_amount if request else _stored_amount(refund, charge),
            "referenceCode": refund.reference,
        },
    }


def remaining_body(charge: Charge) -> dict[str, Any]:
    """Return what is left of a payment; nothing of one that was not made."""
    left = charge.amount - charge.refunded if charge.state == "succeeded" else Decimal(0)
    return {"amount": left, "currency": charge.currency, "isTaxIncluded": True}


def _read_amount(kind: str, refund_amount: Mapping[str, Any], terms: MerchantTerms) -> Decimal:
    """Return the amount of a partial refund, tax included; a total one has none."""
    if kind == "total":
        return Decimal(0)
    return read_gross_amount(read_part(refund_amount, "chargingInformation"), terms)


def _stored_amount(refund: Refund, charge: Charge) -> dict[str, Any]:
    """Return the amount of a partial refund as it is stored: tax included."""
    if refund.type == "total":
        return {}
    about = {"currency": charge.currency, "description": charge.label, "isTaxIncluded": True}
    return {"chargingInformation": {"amount": refund.amount, **about}}
