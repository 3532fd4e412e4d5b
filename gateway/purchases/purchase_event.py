"""Purchase event: what an operator's own charging system says of a purchase, as a CloudEvent (1.0).

The types and the fields `paymentId`, `description` and `paymentDate` are those of CAMARA carrier billing 0.5.
Its events go to merchants, who know the rest; the number, amount, merchant and category are added here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from flows.domain.failures import BadRequest
from flows.domain.purchase_records import PurchaseCategory
from flows.purchases.charging import MadePurchase, PurchaseOrder
from gateway.purchases.merchant_settings import MERCHANT_PATTERN
from menus.packfile.schema import CurrencyForm

TYPE_ROOT = "org.camaraproject.carrier-billing.v0."
PurchaseEventKind = Literal["completed", "cancelled", "ignored"]
EVENT_KINDS: Mapping[str, PurchaseEventKind] = {
    f"{TYPE_ROOT}payment-completed": "completed",
    f"{TYPE_ROOT}payment-cancelled": "cancelled",
}
"""What is done about each type; others are acknowledged and ignored."""
MAX_AMOUNT = 1_000_000
EARLIEST_DATE = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
"""How far in the future a purchase may be dated: a day takes up every confusion of time zones."""
_Words = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _EventForm(BaseModel):
    """An event without its details."""

    model_config = ConfigDict(hide_input_in_errors=True)

    type: Annotated[str, Field(max_length=200)]
    specversion: Literal["1.0"]


class _PaymentKey(BaseModel):
    """What names a payment."""

    model_config = ConfigDict(hide_input_in_errors=True)

    payment_id: _Words = Field(alias="paymentId")
    merchant: Annotated[str, Field(pattern=MERCHANT_PATTERN)]


class _CancelledEvent(_EventForm):
    data: _PaymentKey


class _CompletedPayment(_PaymentKey):
    line: str = Field(alias="phoneNumber", pattern=r"^\+[1-9][0-9]{4,14}$")
    amount: Annotated[Decimal, Field(gt=0, le=MAX_AMOUNT, decimal_places=3)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    description: _Words
    charged_at: AwareDatetime = Field(alias="paymentDate")
    category: PurchaseCategory = "other"


class _CompletedEvent(_EventForm):
    data: _CompletedPayment


@dataclass(frozen=True, slots=True)
class PurchaseEvent:
    """An event as far as it is of use here."""

    kind: PurchaseEventKind
    merchant: str = ""
    payment: str = ""
    """Id of the payment in the operator's system."""
    made: MadePurchase | None = None
    """The purchase of a completed payment."""


def read_purchase_event(body: bytes, money: CurrencyForm, now: datetime, *, is_listed: bool) -> PurchaseEvent:
    """Read an event; BadRequest 400 names no value of it, as it names people."""
    try:
        kind = EVENT_KINDS.get(_EventForm.model_validate_json(body).type, "ignored")
        if kind == "completed":
            payment = _CompletedEvent.model_validate_json(body).data
            _require_date(payment.charged_at, now)
            return _read_completed(payment, money, is_listed=is_listed)
        if kind == "cancelled":
            key = _CancelledEvent.model_validate_json(body).data
            return PurchaseEvent(kind, key.merchant, key.payment_id)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadRequest(f"the event cannot be read at {place or 'its beginning'}") from None
    return PurchaseEvent(kind)


def _require_date(charged_at: datetime, now: datetime) -> None:
    """Require that a purchase is of this century and not of the future: it would count in no month to come."""
    if not EARLIEST_DATE <= charged_at <= now + CLOCK_SKEW:
        raise BadRequest("the event's paymentDate is too early, or in the future")


def _read_completed(payment: _CompletedPayment, money: CurrencyForm, *, is_listed: bool) -> PurchaseEvent:
    scaled = payment.amount.scaleb(money.decimals)
    if payment.currency != money.code or scaled != scaled.to_integral_value():
        raise BadRequest("the event's amount is not in the operator's currency")
    order = PurchaseOrder(
        merchant=payment.merchant,
        category=payment.category,
        line=payment.line,
        amount=payment.amount,
        label=payment.description,
        reference=payment.payment_id,
        correlator=payment.payment_id,
    )
    made = MadePurchase(order, payment.charged_at, is_listed)
    return PurchaseEvent("completed", payment.merchant, payment.payment_id, made)
