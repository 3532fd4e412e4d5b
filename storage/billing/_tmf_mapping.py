"""Map TM Forum resources to our records: customerBill, billing rate, billingAccount, product.

Sources: TMF678 4.0.0 and 5.0.0, TMF666 4.0.0, TMF637 4.0.0. No field of a bill is required there, and real
answers are looser still, so fields that are shown are checked and the others are read leniently.
"""

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, UsageEntry
from storage.billing._client.answer_fields import (
    ZERO,
    as_object,
    clean_text,
    field_error,
    identifier_text,
    objects_in,
    parse_amount,
    parse_day,
    parse_instant,
    prorata_days,
    require_identifier,
)
from storage.billing._client.documents import BillAttachment
from storage.billing.sql import bill_state

BILL_FIELDS = (
    "id,billNo,category,state,billDate,paymentDueDate,amountDue,remainingAmount,"
    "taxExcludedAmount,taxIncludedAmount,taxItem,billingAccount"
)
RATE_FIELDS = {
    dialect: (
        f"id,name,description,date,{kind},taxIncludedAmount,taxExcludedAmount,periodCoverage,"
        "characteristic,isBilled,bill,billingAccount"
    )
    for dialect, kind in (("v4", "type"), ("v5", "appliedBillingRateType"))
}
PUBLISHED_STATES = frozenset({"sent", "partiallypaid", "settled"})
"""States in which a bill may be shown; not `new`, `onHold`, `validated` or an unknown word."""
UNPUBLISHED_CATEGORIES = frozenset({"trial", "duplicate"})
"""Categories that are not to be paid: a trial run, and a copy of a bill that is listed itself."""
RUBRIC_BY_TYPE_WORD: Mapping[str, str] = {
    "recurring": "subscriptions",
    "onetime": "one_off",
    "usage": "communications",
    "credit": "one_off",
    "penalty": "one_off",
}
"""Rubric by a word contained in a rate's type."""
MAX_URL_CHARS, MAX_FORMAT_CHARS = 2048, 40


def is_complete(resource: Mapping[str, Any]) -> bool:
    """Return whether a listed bill has its date, state and account; otherwise it is read by its id."""
    return bool(
        resource.get("billDate")
        and (resource.get("state") or resource.get("status"))
        and account_id_of(resource)
    )


def is_published(resource: Mapping[str, Any]) -> bool:
    """Return whether a bill may be shown. Older answers call its state `status`."""
    state = resource.get("state") or resource.get("status")
    category = str(resource.get("category") or "").lower()
    return (
        isinstance(state, str) and state.lower() in PUBLISHED_STATES and category not in UNPUBLISHED_CATEGORIES
    )


def account_id_of(resource: Mapping[str, Any]) -> str:
    """Return the account id of a bill or rate; empty when it has none."""
    account = as_object(resource.get("billingAccount")) or as_object(resource.get("financialAccount"))
    return identifier_text(account.get("id"))


def parse_bill(resource: Mapping[str, Any], account: str, today: date, zone: tzinfo, currency: str) -> Bill:
    """Parse a published customerBill; Down when a field that is shown cannot be used."""
    identity = require_identifier(resource.get("id"))
    total = abs(_first_amount(resource, currency, "taxIncludedAmount", "amountDue"))
    issued = parse_day(resource.get("billDate"), zone, "billDate")
    settled = str(resource.get("state") or resource.get("status")).lower() == "settled"
    remaining = ZERO if settled else abs(_remaining_amount(resource, currency, total))
    if "credit" in str(resource.get("category") or "").lower():
        total, remaining = -total, -remaining
    due = (
        parse_day(resource["paymentDueDate"], zone, "paymentDueDate")
        if resource.get("paymentDueDate")
        else None
    )
    if due is None and remaining > 0:
        raise field_error("paymentDueDate")
    due = due or issued
    return Bill(
        id=identity,
        number=clean_text(resource.get("billNo")) or identity,
        account=account,
        issued=issued,
        due=due,
        total=total,
        tax=_tax_included(resource, total, currency),
        remaining=remaining,
        state=bill_state(total, remaining, due, today, cancelled=False),
    )


def _parse_money(value: object, field_name: str, currency: str) -> Decimal:
    """Parse TM Forum's Money, or a bare number; Down for another currency."""
    if not isinstance(value, dict):
        return parse_amount(value, field_name)
    unit = value.get("unit")
    if currency and unit != currency and clean_text(unit) and clean_text(unit).upper() != currency.upper():
        raise field_error(f"{field_name}: another currency")
    return parse_amount(value.get("value"), field_name)


def _first_amount(resource: Mapping[str, Any], currency: str, *fields: str) -> Decimal:
    for field in fields:
        if resource.get(field) is not None:
            return _parse_money(resource[field], field, currency)
    raise field_error(fields[0])


def _remaining_amount(resource: Mapping[str, Any], currency: str, total: Decimal) -> Decimal:
    """Return the amount still to pay: `remainingAmount`, else `amountDue`, else the total."""
    for field in ("remainingAmount", "amountDue"):
        if resource.get(field) is not None:
            return _parse_money(resource[field], field, currency)
    return total


def _tax_included(resource: Mapping[str, Any], total: Decimal, currency: str) -> Decimal:
    """Return the tax contained: the sum of `taxItem`, else the difference of the totals, else zero."""
    items = [
        each["taxAmount"] for each in objects_in(resource.get("taxItem")) if each.get("taxAmount") is not None
    ]
    if items:
        tax = sum([abs(_parse_money(each, "taxItem", currency)) for each in items], ZERO)
        return -tax if total < ZERO else tax
    if resource.get("taxExcludedAmount") is None:
        return ZERO
    untaxed = abs(_parse_money(resource["taxExcludedAmount"], "taxExcludedAmount", currency))
    return total + untaxed if total < ZERO else total - untaxed


def rubric_of(resource: Mapping[str, Any], rubrics: Mapping[str, str]) -> str:
    """Return the rubric of a billing rate: its own, else by the settings, else by its type."""
    kind = _rate_type(resource)
    own = characteristics(resource.get("characteristic")).get("rubric") or rubrics.get(
        clean_text(resource.get("name"))
    )
    known = own or rubrics.get(kind)
    return known or next((each for word, each in RUBRIC_BY_TYPE_WORD.items() if word in kind), "one_off")


def parse_bill_line(
    resource: Mapping[str, Any], currency: str, rubrics: Mapping[str, str], zone: tzinfo
) -> BillLine:
    """Parse an appliedCustomerBillingRate; credits are negative, part of a month is a `prorata`."""
    words, period = characteristics(resource.get("characteristic")), as_object(resource.get("periodCoverage"))
    charge = _first_amount(resource, currency, "taxIncludedAmount", "taxExcludedAmount")
    days, of_days = prorata_days(
        _local_date(period.get("startDateTime"), zone), _local_date(period.get("endDateTime"), zone)
    )
    own = rubric_of(resource, rubrics)
    return BillLine(
        "prorata" if days and own == "subscriptions" else own,
        words.get("user", ""),
        -abs(charge) if "credit" in _rate_type(resource) else charge,
        identifier_text(resource.get("id")),
        clean_text(resource.get("description")),
        words.get("centre", ""),
        days,
        of_days,
    )


def parse_entry(resource: Mapping[str, Any], currency: str, zone: tzinfo) -> UsageEntry:
    """Parse a rate that is on no bill yet: usage, or a purchase on the bill."""
    words = characteristics(resource.get("characteristic"))
    quantity = words.get("quantity", "")
    return UsageEntry(
        at=parse_day(resource.get("date"), zone, "date"),
        kind=words.get("kind") or clean_text(resource.get("name")),
        amount=_first_amount(resource, currency, "taxIncludedAmount", "taxExcludedAmount"),
        label=clean_text(resource.get("description")),
        quantity=int(quantity) if quantity.isdecimal() and len(quantity) < 10 else 0,
    )


def _rate_type(resource: Mapping[str, Any]) -> str:
    return clean_text(resource.get("appliedBillingRateType") or resource.get("type")).lower().replace("-", "")


def _local_date(value: object, zone: tzinfo) -> date | None:
    instant = parse_instant(value, zone)
    return instant.astimezone(zone).date() if instant else None


def find_attachment(resource: Mapping[str, Any]) -> BillAttachment:
    """Return a bill's document, a PDF if there is one; NotFound when none has a content or URL."""
    documents = resource.get("billDocument")
    every = [*objects_in(documents), *objects_in([documents])]
    readable = [each for each in every if each.get("content") or each.get("url") or each.get("href")]
    if not readable:
        raise NotFound
    best = next((each for each in readable if "pdf" in clean_text(each.get("mimeType"))), readable[0])
    url = clean_text(best.get("url"), MAX_URL_CHARS) or clean_text(best.get("href"), MAX_URL_CHARS)
    content = best.get("content")
    kind, form = (
        clean_text(best.get("mimeType")).lower(),
        clean_text(best.get("attachmentType"), MAX_FORMAT_CHARS),
    )
    return BillAttachment(url, content if isinstance(content, str) else "", kind, form)


def characteristics(value: object) -> dict[str, str]:
    """Return characteristics by their name in lower case."""
    return {
        clean_text(each.get("name")).lower(): clean_text(each.get("value"))
        or identifier_text(each.get("value"))
        for each in objects_in(value)
    }
