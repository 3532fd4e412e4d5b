"""Map TM Forum resources to our records: customerBill, billing rate, billingAccount, product.

Sources: TMF678 4.0.0 and 5.0.0, TMF666 4.0.0, TMF637 4.0.0. No field of a bill is required there, and real
answers are looser still, so fields that are shown are checked and the others are read leniently.
"""

from collections.abc import Iterable, Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from flows.domain.failures import InvalidRecord, NotFound
from flows.domain.records import Bill, BillLine, UsageEntry
from storage.billing._client.answer_fields import (
    ZERO,
    as_object,
    clean_text,
    field_error,
    identifier_text,
    objects_in,
    parse_day,
    parse_instant,
    prorata_days,
    require_identifier,
)
from storage.billing._client.bill_state import bill_state
from storage.billing._client.currency import CurrencyRule, outstanding_amount
from storage.billing._client.documents import BillAttachment

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
RATE_AMOUNTS = ("taxIncludedAmount", "taxExcludedAmount")
"""Fields of a rate's amount; the first that is there counts."""
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


def issue_day(resource: Mapping[str, Any], zone: tzinfo) -> date | None:
    """Return the local day of a bill; None when it cannot be read."""
    try:
        return parse_day(resource.get("billDate"), zone, "billDate")
    except InvalidRecord:
        return None


def parse_bill(
    resource: Mapping[str, Any], account: str, today: date, zone: tzinfo, currency: CurrencyRule
) -> Bill:
    """Parse a published customerBill; InvalidRecord when a field that is shown cannot be used."""
    identity = require_identifier(resource.get("id"))
    issued = parse_day(resource.get("billDate"), zone, "billDate")
    total, remaining = _bill_amounts(resource, currency)
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


def _bill_amounts(resource: Mapping[str, Any], currency: CurrencyRule) -> tuple[Decimal, Decimal]:
    """Return total and remaining amount. A credit note's are negative, however its category is told."""
    total = _first_amount(resource, currency, "taxIncludedAmount", "amountDue")
    settled = str(resource.get("state") or resource.get("status")).lower() == "settled"
    remaining = ZERO if settled else _remaining_amount(resource, currency, total)
    if total < ZERO or "credit" in str(resource.get("category") or "").lower():
        return -abs(total), -abs(remaining)
    return total, outstanding_amount(total, remaining)


def _parse_money(value: object, field_name: str, currency: CurrencyRule) -> Decimal:
    """Parse TM Forum's Money, or a bare number, rounded; InvalidRecord for another currency."""
    return currency.parse_money(*_split_money(value), field_name)


def _split_money(value: object) -> tuple[object, object]:
    """Return the number and the unit of TM Forum's Money; a bare number has no unit."""
    return (value.get("value"), value.get("unit")) if isinstance(value, dict) else (value, "")


def _first_amount(resource: Mapping[str, Any], currency: CurrencyRule, *fields: str) -> Decimal:
    for field in fields:
        if resource.get(field) is not None:
            return _parse_money(resource[field], field, currency)
    raise field_error(fields[0])


def _remaining_amount(resource: Mapping[str, Any], currency: CurrencyRule, total: Decimal) -> Decimal:
    """Return the amount still to pay: `remainingAmount`, else `amountDue`, else the total."""
    for field in ("remainingAmount", "amountDue"):
        if resource.get(field) is not None:
            return _parse_money(resource[field], field, currency)
    return total


def _tax_included(resource: Mapping[str, Any], total: Decimal, currency: CurrencyRule) -> Decimal:
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
    resource: Mapping[str, Any], currency: CurrencyRule, rubrics: Mapping[str, str], zone: tzinfo
) -> BillLine:
    """Parse an appliedCustomerBillingRate; credits are negative, part of a month is a `prorata`."""
    words, period = characteristics(resource.get("characteristic")), as_object(resource.get("periodCoverage"))
    charge = _exact_charge(resource, currency)
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


def _exact_charge(resource: Mapping[str, Any], currency: CurrencyRule) -> Decimal:
    """Return the amount of a rate, unrounded: the rates of a bill are rounded together."""
    name = "taxIncludedAmount" if resource.get("taxIncludedAmount") is not None else "taxExcludedAmount"
    return currency.parse_exact(*_split_money(resource.get(name)), name)


def rates_of_bill(rates: Iterable[Mapping[str, Any]], account: str, bill_id: str) -> list[Mapping[str, Any]]:
    """Return the rates that name this bill; of a BSS whose rates name no bill, those that name the account.

    A rate that names another bill or another account is not used, nor one that names neither.
    """
    named = [
        (each, identifier_text(as_object(each.get("bill")).get("id")), account_id_of(each)) for each in rates
    ]
    own = [each for each, bill, whose in named if bill == bill_id and whose in ("", account)]
    return own or [each for each, bill, whose in named if not bill and whose == account]


def parse_entry(resource: Mapping[str, Any], currency: CurrencyRule, zone: tzinfo) -> UsageEntry:
    """Parse a rate that is on no bill yet: usage, or a purchase on the bill."""
    words = characteristics(resource.get("characteristic"))
    quantity, amount = words.get("quantity", ""), _first_amount(resource, currency, *RATE_AMOUNTS)
    return UsageEntry(
        at=parse_day(resource.get("date"), zone, "date"),
        kind=words.get("kind") or clean_text(resource.get("name")),
        amount=-abs(amount) if "credit" in _rate_type(resource) else amount,
        label=clean_text(resource.get("description")),
        quantity=int(quantity) if quantity.isdecimal() and len(quantity) < 10 else 0,
        user=words.get("user", ""),
        centre=words.get("centre", ""),
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
