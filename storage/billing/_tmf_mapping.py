"""TM Forum resources as our records: customerBill, appliedCustomerBillingRate, billingAccount, product.

Sources: TMF678 4.0.0 and 5.0.0, TMF666 4.0.0, TMF637 4.0.0. No field of a bill is required there, and real
answers are looser still, so what is shown is checked and the rest is taken as it comes.
"""

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any, Literal, cast, get_args

from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, Entry, Kind, Media, Subscriber
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
"""States in which a bill may be shown; `new`, `onHold`, `validated` and any unknown word are not published."""
HIDDEN = frozenset({"trial", "duplicate"})
"""Categories nobody has to pay: a rehearsal, and a copy of a bill that is listed itself."""
RUBRICS: Mapping[str, str] = {
    "recurring": "subscriptions",
    "onetime": "one_off",
    "usage": "communications",
    "credit": "one_off",
    "penalty": "one_off",
}
"""A word in a rate's type, and the rubric it is shown under."""
PAPER, ELECTRONIC = (
    ("paper", "post", "print", "letter"),
    ("mail", "electronic", "ebill", "online", "web", "pdf"),
)
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_ADDRESS, MOST_FORMAT = 2048, 40


def complete(found: Mapping[str, Any]) -> bool:
    """Does a list show enough of a bill to place it? If not, it is asked for by its id."""
    return bool(found.get("billDate") and (found.get("state") or found.get("status")) and whose(found))


def published(found: Mapping[str, Any]) -> bool:
    """May this bill be shown? Older answers call its state `status`."""
    state = found.get("state") or found.get("status")
    category = str(found.get("category") or "").lower()
    return isinstance(state, str) and state.lower() in ISSUED and category not in HIDDEN


def whose(found: Mapping[str, Any]) -> str:
    """The account a bill belongs to; empty when it does not say."""
    account = table(found.get("billingAccount")) or table(found.get("financialAccount"))
    return told(account.get("id"))


def bill(found: Mapping[str, Any], account: str, today: date, zone: tzinfo, currency: str) -> Bill:
    """A customerBill that may be shown; Down when what is shown of it cannot be used."""
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
    """TM Forum's Money; a bare number is taken too."""
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
    """What is still to pay: as told, else what was due, else all."""
    for field in ("remainingAmount", "amountDue"):
        if found.get(field) is not None:
            return _money(found[field], field, currency)
    return total


def _tax(found: Mapping[str, Any], total: Decimal, currency: str) -> Decimal:
    """The tax contained: by its items, else the difference of the totals, else none told."""
    items = [each["taxAmount"] for each in tables(found.get("taxItem")) if each.get("taxAmount") is not None]
    if items:
        tax = sum([abs(_money(each, "taxItem", currency)) for each in items], ZERO)
        return -tax if total < ZERO else tax
    if found.get("taxExcludedAmount") is None:
        return ZERO
    untaxed = abs(_money(found["taxExcludedAmount"], "taxExcludedAmount", currency))
    return total + untaxed if total < ZERO else total - untaxed


def rubric(found: Mapping[str, Any], rubrics: Mapping[str, str]) -> str:
    """The rubric of an appliedCustomerBillingRate: its own, else by the settings, else by its type."""
    kind = _kind(found)
    own = _words(found.get("characteristic")).get("rubric") or rubrics.get(text(found.get("name")))
    named = own or rubrics.get(kind)
    return named or next((shown for word, shown in RUBRICS.items() if word in kind), "one_off")


def line(found: Mapping[str, Any], currency: str, rubrics: Mapping[str, str], zone: tzinfo) -> BillLine:
    """An appliedCustomerBillingRate; credits count against the bill, part of a month is a prorata."""
    words, period = _words(found.get("characteristic")), table(found.get("periodCoverage"))
    owed = _first(found, currency, "taxIncludedAmount", "taxExcludedAmount")
    days, of_days = part(_local(period.get("startDateTime"), zone), _local(period.get("endDateTime"), zone))
    shown = rubric(found, rubrics)
    return BillLine(
        "prorata" if days and shown == "subscriptions" else shown,
        words.get("user", ""),
        -abs(owed) if "credit" in _kind(found) else owed,
        told(found.get("id")),
        text(found.get("description")),
        words.get("centre", ""),
        days,
        of_days,
    )


def entry(found: Mapping[str, Any], currency: str, zone: tzinfo) -> Entry:
    """A rate that is on no bill yet: something used, or bought on the bill."""
    words = _words(found.get("characteristic"))
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
    found = moment(value, zone)
    return found.astimezone(zone).date() if found else None


def attachment(found: Mapping[str, Any]) -> Attached:
    """A bill's document, as a PDF where there is one; NotFound when it has none that can be read."""
    documents = found.get("billDocument")
    shown = [*tables(documents), *tables([documents])]
    given = [each for each in shown if each.get("content") or each.get("url") or each.get("href")]
    if not given:
        raise NotFound
    best = next((each for each in given if "pdf" in text(each.get("mimeType"))), given[0])
    where = text(best.get("url"), MOST_ADDRESS) or text(best.get("href"), MOST_ADDRESS)
    content = best.get("content")
    kind, form = text(best.get("mimeType")).lower(), text(best.get("attachmentType"), MOST_FORMAT)
    return Attached(where, content if isinstance(content, str) else "", kind, form)


def media(account: Mapping[str, Any], names: Mapping[str, str]) -> Media:
    """How bills reach an account: by e-mail when any of its media is electronic."""
    return "email" if any(medium(each, names) == "email" for each in presented(account)) else "paper"


def presented(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The billing account's presentation media."""
    return list(tables(table(account.get("billStructure")).get("presentationMedia")))


def medium(found: Mapping[str, Any], names: Mapping[str, str]) -> Media | Literal[""]:
    """Which of ours one presentation medium is; empty for another, such as SMS."""
    words = {text(found.get("name")).lower(), text(found.get("id")).lower()}
    for ours, theirs in names.items():
        if theirs.lower() in words:
            return cast(Media, ours)
    joined = " ".join(sorted(words)).replace("-", "")
    if any(word in joined for word in ELECTRONIC):
        return "email"
    return "paper" if any(word in joined for word in PAPER) else ""


def subscriber(
    product: Mapping[str, Any],
    account: Mapping[str, Any],
    operator: str,
    msisdn: str,
    zone: tzinfo,
) -> Subscriber:
    """Who holds a product: identity and start from the product, addresses from its billing account."""
    words = _words(product.get("productCharacteristic"))
    parties = [*tables(product.get("relatedParty")), *tables(account.get("relatedParty"))]
    kind = words.get("kind", "").lower()
    email, validated = _email(account)
    return Subscriber(
        id=name(product.get("id")),
        operator=operator,
        msisdn=msisdn,
        account=holder(product),
        name=next((text(each.get("name")) for each in parties if text(each.get("name"))), ""),
        kind=kind if kind in KINDS else "mobile",
        segment="business"
        if any(each.get("@referredType") == "Organization" for each in parties)
        else "residential",
        language=words.get("language", "")[:8],
        since=day(product.get("startDate"), zone, "startDate"),
        email=email,
        email_validated=validated,
        address=_address(account),
        sim_changed_at=moment(words.get("simchangedat"), zone),
        siret=words.get("siret", ""),
    )


def number(product: Mapping[str, Any]) -> str:
    """The line's own number, E.164: its public identifier, or the characteristic `msisdn`."""
    own = _words(product.get("productCharacteristic")).get("msisdn", "")
    digits = text(product.get("publicIdentifier")) or own
    return f"+{digits}" if digits.isdecimal() else digits


def holder(product: Mapping[str, Any]) -> str:
    """The billing account a product is charged to; NotFound when it has none: there are no bills then."""
    accounts = [table(product.get("billingAccount")), *tables(product.get("billingAccount"))]
    for account in accounts:
        if account.get("id"):
            return name(account["id"], "billingAccount")
    raise NotFound


def _words(value: object) -> dict[str, str]:
    """Characteristics by their name."""
    return {
        text(each.get("name")).lower(): text(each.get("value")) or told(each.get("value"))
        for each in tables(value)
    }


def _media_of(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for contact in tables(account.get("contact")) for each in tables(contact.get("contactMedium"))]


def _email(account: Mapping[str, Any]) -> tuple[str, bool]:
    """The first e-mail address, and whether its `contactType` says that its owner has confirmed it."""
    for each in _media_of(account):
        medium = table(each.get("characteristic"))
        address = text(medium.get("emailAddress"), 320)
        if "@" in address:
            return address, text(medium.get("contactType")).lower() == "validated"
    return "", False


def _address(account: Mapping[str, Any]) -> str:
    for each in _media_of(account):
        found = table(each.get("characteristic"))
        parts = [text(found.get(part)) for part in ("street1", "street2", "postCode", "city", "country")]
        if parts[0]:
            return ", ".join(filter(None, parts))
    return ""
