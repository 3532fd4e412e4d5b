"""Requests of CAMARA carrier billing 0.5: reads bodies and query parameters, or says what is wrong."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from flows.purchases.charging import PurchaseOrder
from gateway.purchases.camara_errors import MISSING_NUMBER, CamaraError, invalid_argument
from gateway.purchases.camara_sink import read_sink
from gateway.purchases.merchant_settings import MerchantSettings

PHONE_PATTERN = re.compile(r"\+[1-9][0-9]{4,14}")
CORRELATOR_PATTERN = re.compile(r"[a-zA-Z0-9\-_:;./<>{}]{0,256}")
"""The header `x-correlator`."""
MAX_TEXT, MAX_REFERENCE, MAX_LABEL, MAX_AMOUNT = 256, 240, 200, Decimal(1_000_000)
MAX_DEPTH = 16
"""Nested objects and arrays of a body; deeper ones are refused."""
REFERENCE_KEY = "reference "
"""Begins the key of a request that came without a correlator."""
AMOUNT_PARTS = ("chargingInformation", "chargingMetaData", "paymentDetails")
"""Parts of `paymentAmount` that the answer repeats."""


@dataclass(frozen=True, slots=True)
class MerchantTerms:
    """What a request is read by: the merchant, its settings, the operator's currency."""

    merchant: str
    settings: MerchantSettings = field(repr=False)
    currency: str
    decimals: int


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A request for a payment, and the part of it that the answer repeats."""

    order: PurchaseOrder
    payment_amount: Mapping[str, Any] = field(repr=False)


def read_json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, its numbers as Decimal; CamaraError 400 for anything else or `{}`.

    Parts of it are echoed once the charge is made, so what could not be written again is refused here.
    """
    try:
        document = json.loads(
            body.decode(), parse_float=_read_number, parse_int=_read_number, parse_constant=_refuse
        )
        _require_shallow(document, MAX_DEPTH)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise invalid_argument("The body is not JSON.") from error
    if not isinstance(document, dict) or not document:
        raise invalid_argument("The body is empty, or no JSON object.")
    return document


def read_payment(body: bytes, terms: MerchantTerms) -> PaymentRequest:
    """Read the body of `createPayment` and `preparePayment`."""
    document = read_json_object(body)
    transaction = read_part(document, "amountTransaction")
    payment = read_part(transaction, "paymentAmount")
    charging = read_part(payment, "chargingInformation")
    details = payment.get("paymentDetails", [{}])
    if not isinstance(details, list) or not details or not all(isinstance(each, dict) for each in details):
        raise invalid_argument("paymentDetails is not a list of items.")
    order = PurchaseOrder(
        merchant=terms.merchant,
        category=terms.settings.category,
        line=read_phone_number(transaction),
        amount=read_gross_amount(charging, terms),
        label=read_text(charging, "description", MAX_LABEL),
        reference=(reference := read_text(transaction, "referenceCode", MAX_REFERENCE)),
        correlator=read_correlator(transaction, reference),
        sink=read_sink(document, terms.settings),
    )
    return PaymentRequest(order, {name: payment[name] for name in AMOUNT_PARTS if name in payment})


def read_phone_number(part: Mapping[str, Any]) -> str:
    """Return the phone number; CamaraError 422 without one, 400 for one that is none."""
    if "phoneNumber" not in part:
        raise CamaraError(*MISSING_NUMBER)
    number = part["phoneNumber"]
    if not isinstance(number, str) or not PHONE_PATTERN.fullmatch(number):
        raise invalid_argument("phoneNumber is not in E.164 with a plus.")
    return number


def read_validation(body: bytes) -> tuple[str, str]:
    """Return the authorisation id and the code of `validatePayment`."""
    document = read_json_object(body)
    return read_text(document, "authorizationId", MAX_TEXT), read_text(document, "code", MAX_TEXT)


def read_time(text: str, otherwise: datetime) -> datetime:
    """Return the time of a query parameter (RFC 3339), `otherwise` for an empty one; CamaraError 400."""
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # of a date whose day in UTC is in no calendar
        raise invalid_argument("A date is not in RFC 3339.") from error
    raise invalid_argument("A date has no time zone.")


def read_count(text: str, otherwise: int, most: int) -> int:
    """Return the whole number of a query parameter from 1 to `most`; CamaraError 400 OUT_OF_RANGE."""
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise CamaraError(400, "OUT_OF_RANGE", "Client specified an invalid range.")
    return int(text)


def _read_number(text: str) -> Decimal:
    """Return a number of JSON; ValueError for one that is no finite floating-point number."""
    if not isfinite(float(text)):
        raise ValueError("a number is too large")
    return Decimal(text)


def _require_shallow(value: Any, depth: int) -> None:
    """Raise ValueError for a document nested more than `depth` deep."""
    if not depth:
        raise ValueError("the document is nested too deeply")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_shallow(each, depth - 1)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def read_part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object of a body; CamaraError 400 without one."""
    part = document.get(name)
    if not isinstance(part, dict):
        raise invalid_argument(f"{name} is missing, or no object.")
    return part


def read_text(part: Mapping[str, Any], name: str, most: int) -> str:
    """Return a text of at most `most` characters; CamaraError 400 without one."""
    text = part.get(name)
    if not isinstance(text, str) or not text.strip() or len(text) > most or not text.isprintable():
        raise invalid_argument(f"{name} is missing, or no text of at most {most} characters.")
    return text


def read_correlator(transaction: Mapping[str, Any], reference: str) -> str:
    """Return the key of a request; without one its reference is the key, as merchants keep them apart."""
    if "clientCorrelator" in transaction:
        return read_text(transaction, "clientCorrelator", MAX_TEXT)
    return REFERENCE_KEY + reference


def read_gross_amount(charging: Mapping[str, Any], terms: MerchantTerms) -> Decimal:
    """Return what is charged, tax included: a net amount and its tax are added."""
    if charging.get("currency") != terms.currency:
        raise invalid_argument("Currency is unknown or not authorized")
    includes_tax = charging.get("isTaxIncluded", False)
    if not isinstance(includes_tax, bool):
        raise invalid_argument("isTaxIncluded is neither true nor false.")
    amount = _read_amount(charging, "amount", terms.decimals)
    if amount <= 0:
        raise invalid_argument("amount is not above 0.")
    tax = _read_amount(charging, "taxAmount", terms.decimals) if "taxAmount" in charging else Decimal(0)
    return amount if includes_tax else amount + tax


def _read_amount(charging: Mapping[str, Any], name: str, decimals: int) -> Decimal:
    amount = charging.get(name)
    if not isinstance(amount, Decimal) or not 0 <= amount <= MAX_AMOUNT:
        raise invalid_argument(f"{name} is missing, or no amount.")
    exact = amount.quantize(Decimal(1).scaleb(-decimals))
    if exact != amount:
        raise invalid_argument(f"{name} has more than {decimals} decimals.")
    return exact
