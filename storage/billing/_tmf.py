"""TM Forum resources as our records: customerBill, appliedCustomerBillingRate, billingAccount, product.

Sources: TMF678 4.0.0 and 5.0.0, TMF666 4.0.0, TMF637 4.0.0. No field of a bill is required there, and real
answers are looser still, so what is shown is checked and the rest is taken as it comes.
"""

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any, Literal, cast, get_args

from flows.failures import NotFound
from flows.records import Bill, BillLine, Kind, Media, Subscriber
from storage.billing._fields import amount, day, moment, name, table, tables, text, told, wrong
from storage.billing.sql import state_of

BILL_FIELDS = (
    "id,billNo,category,state,billDate,paymentDueDate,amountDue,remainingAmount,"
    "taxExcludedAmount,taxIncludedAmount,taxItem,billingAccount"
)
RATE_FIELDS = {
    "v4": "id,name,type,taxIncludedAmount,taxExcludedAmount,appliedTax,product,characteristic,bill",
    "v5": (
        "id,name,appliedBillingRateType,taxIncludedAmount,taxExcludedAmount,appliedTax,product,"
        "characteristic,bill"
    ),
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
    sign = -1 if "credit" in str(found.get("category") or "").lower() else 1
    total = sign * abs(_first(found, currency, "taxIncludedAmount", "amountDue"))
    issued = day(found.get("billDate"), zone, "billDate")
    settled = str(found.get("state") or found.get("status")).lower() == "settled"
    remaining = Decimal(0) if settled else sign * abs(_remaining(found, currency, abs(total)))
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
    unit = text(table(value).get("unit"))
    if unit and currency and unit.upper() != currency.upper():
        raise wrong(f"{what}: another currency")
    return amount(table(value).get("value") if isinstance(value, dict) else value, what)


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
    sign = -1 if total < 0 else 1
    items = [each["taxAmount"] for each in tables(found.get("taxItem")) if each.get("taxAmount") is not None]
    if items:
        return sign * sum((abs(_money(each, "taxItem", currency)) for each in items), Decimal(0))
    if found.get("taxExcludedAmount") is None:
        return Decimal(0)
    return total - sign * abs(_money(found["taxExcludedAmount"], "taxExcludedAmount", currency))


def line(found: Mapping[str, Any], currency: str, rubrics: Mapping[str, str]) -> BillLine:
    """An appliedCustomerBillingRate; credits count against the bill."""
    words = {
        text(each.get("name")).lower(): text(each.get("value")) for each in tables(found.get("characteristic"))
    }
    kind = text(found.get("appliedBillingRateType") or found.get("type")).lower().replace("-", "")
    own = words.get("rubric") or rubrics.get(text(found.get("name"))) or rubrics.get(kind)
    shown = own or next((rubric for word, rubric in RUBRICS.items() if word in kind), "one_off")
    owed = _first(found, currency, "taxIncludedAmount", "taxExcludedAmount")
    return BillLine(shown, words.get("user", ""), -abs(owed) if "credit" in kind else owed)


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
    return {text(each.get("name")).lower(): text(each.get("value")) for each in tables(value)}


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
