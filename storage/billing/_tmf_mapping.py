"""Map TM Forum resources to our records: customerBill, billing rate, billingAccount, product.

Sources: TMF678 4.0.0 and 5.0.0, TMF666 4.0.0, TMF637 4.0.0. No field of a bill is required there, and real
answers are looser still, so fields that are shown are checked and the others are read leniently.
"""

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, Entry
from storage.billing._client.documents import Attached
from storage.billing._client.fields import (
    ZERO,
    amount,
    day,
    moment,
    name,
    part,
    table,
    tables,
    text,
    told,
    wrong,
)
from storage.billing.sql import state_of

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
ISSUED = frozenset({"sent", "partiallypaid", "settled"})
"""States in which a bill may be shown; not `new`, `onHold`, `validated` or an unknown word."""
HIDDEN = frozenset({"trial", "duplicate"})
"""Categories that are not to be paid: a trial run, and a copy of a bill that is listed itself."""
RUBRICS: Mapping[str, str] = {
    "recurring": "subscriptions",
    "onetime": "one_off",
    "usage": "communications",
    "credit": "one_off",
    "penalty": "one_off",
}
"""Rubric by a word contained in a rate's type."""
MOST_ADDRESS, MOST_FORMAT = 2048, 40


def complete(found: Mapping[str, Any]) -> bool:
    """Return whether a listed bill has its date, state and account; otherwise it is read by its id."""
    return bool(found.get("billDate") and (found.get("state") or found.get("status")) and whose(found))


def published(found: Mapping[str, Any]) -> bool:
    """Return whether a bill may be shown. Older answers call its state `status`."""
    state = found.get("state") or found.get("status")
    category = str(found.get("category") or "").lower()
    return isinstance(state, str) and state.lower() in ISSUED and category not in HIDDEN


def whose(found: Mapping[str, Any]) -> str:
    """Return the account id of a bill or rate; empty when it has none."""
    account = table(found.get("billingAccount")) or table(found.get("financialAccount"))
    return told(account.get("id"))


def bill(found: Mapping[str, Any], account: str, today: date, zone: tzinfo, currency: str) -> Bill:
    """Parse a published customerBill; Down when a field that is shown cannot be used."""
    identity = name(found.get("id"))
    total = abs(_first(found, currency, "taxIncludedAmount", "amountDue"))
    issued = day(found.get("billDate"), zone, "billDate")
    settled = str(found.get("state") or found.get("status")).lower() == "settled"
    remaining = ZERO if settled else abs(_remaining(found, currency, total))
    if "credit" in str(found.get("category") or "").lower():
        total, remaining = -total, -remaining
    due = day(found["paymentDueDate"], zone, "paymentDueDate") if found.get("paymentDueDate") else None
    if due is None and remaining > 0:
        raise wrong("paymentDueDate")
    due = due or issued
    return Bill(
        id=identity,
        number=text(found.get("billNo")) or identity,
        account=account,
        issued=issued,
        due=due,
        total=total,
        tax=_tax(found, total, currency),
        remaining=remaining,
        state=state_of(total, remaining, due, today, cancelled=False),
    )


def _money(value: object, what: str, currency: str) -> Decimal:
    """Parse TM Forum's Money, or a bare number; Down for another currency."""
    if not isinstance(value, dict):
        return amount(value, what)
    unit = value.get("unit")
    if currency and unit != currency and text(unit) and text(unit).upper() != currency.upper():
        raise wrong(f"{what}: another currency")
    return amount(value.get("value"), what)


def _first(found: Mapping[str, Any], currency: str, *fields: str) -> Decimal:
    for field in fields:
        if found.get(field) is not None:
            return _money(found[field], field, currency)
    raise wrong(fields[0])


def _remaining(found: Mapping[str, Any], currency: str, total: Decimal) -> Decimal:
    """Return the amount still to pay: `remainingAmount`, else `amountDue`, else the total."""
    for field in ("remainingAmount", "amountDue"):
        if found.get(field) is not None:
            return _money(found[field], field, currency)
    return total


def _tax(found: Mapping[str, Any], total: Decimal, currency: str) -> Decimal:
    """Return the tax contained: the sum of `taxItem`, else the difference of the totals, else zero."""
    items = [each["taxAmount"] for each in tables(found.get("taxItem")) if each.get("taxAmount") is not None]
    if items:
        tax = sum([abs(_money(each, "taxItem", currency)) for each in items], ZERO)
        return -tax if total < ZERO else tax
    if found.get("taxExcludedAmount") is None:
        return ZERO
    untaxed = abs(_money(found["taxExcludedAmount"], "taxExcludedAmount", currency))
    return total + untaxed if total < ZERO else total - untaxed


def rubric(found: Mapping[str, Any], rubrics: Mapping[str, str]) -> str:
    """Return the rubric of a billing rate: its own, else by the settings, else by its type."""
    kind = _kind(found)
    own = characteristics(found.get("characteristic")).get("rubric") or rubrics.get(text(found.get("name")))
    known = own or rubrics.get(kind)
    return known or next((each for word, each in RUBRICS.items() if word in kind), "one_off")


def line(found: Mapping[str, Any], currency: str, rubrics: Mapping[str, str], zone: tzinfo) -> BillLine:
    """Parse an appliedCustomerBillingRate; credits are negative, part of a month is a `prorata`."""
    words, period = characteristics(found.get("characteristic")), table(found.get("periodCoverage"))
    charge = _first(found, currency, "taxIncludedAmount", "taxExcludedAmount")
    days, of_days = part(_local(period.get("startDateTime"), zone), _local(period.get("endDateTime"), zone))
    own = rubric(found, rubrics)
    return BillLine(
        "prorata" if days and own == "subscriptions" else own,
        words.get("user", ""),
        -abs(charge) if "credit" in _kind(found) else charge,
        told(found.get("id")),
        text(found.get("description")),
        words.get("centre", ""),
        days,
        of_days,
    )


def entry(found: Mapping[str, Any], currency: str, zone: tzinfo) -> Entry:
    """Parse a rate that is on no bill yet: usage, or a purchase on the bill."""
    words = characteristics(found.get("characteristic"))
    quantity = words.get("quantity", "")
    return Entry(
        at=day(found.get("date"), zone, "date"),
        kind=words.get("kind") or text(found.get("name")),
        amount=_first(found, currency, "taxIncludedAmount", "taxExcludedAmount"),
        label=text(found.get("description")),
        quantity=int(quantity) if quantity.isdecimal() and len(quantity) < 10 else 0,
    )


def _kind(found: Mapping[str, Any]) -> str:
    return text(found.get("appliedBillingRateType") or found.get("type")).lower().replace("-", "")


def _local(value: object, zone: tzinfo) -> date | None:
    instant = moment(value, zone)
    return instant.astimezone(zone).date() if instant else None


def attachment(found: Mapping[str, Any]) -> Attached:
    """Return a bill's document, a PDF if there is one; NotFound when none has a content or URL."""
    documents = found.get("billDocument")
    every = [*tables(documents), *tables([documents])]
    readable = [each for each in every if each.get("content") or each.get("url") or each.get("href")]
    if not readable:
        raise NotFound
    best = next((each for each in readable if "pdf" in text(each.get("mimeType"))), readable[0])
    url = text(best.get("url"), MOST_ADDRESS) or text(best.get("href"), MOST_ADDRESS)
    content = best.get("content")
    kind, form = text(best.get("mimeType")).lower(), text(best.get("attachmentType"), MOST_FORMAT)
    return Attached(url, content if isinstance(content, str) else "", kind, form)


def characteristics(value: object) -> dict[str, str]:
    """Return characteristics by their name in lower case."""
    return {
        text(each.get("name")).lower(): text(each.get("value")) or told(each.get("value"))
        for each in tables(value)
    }
