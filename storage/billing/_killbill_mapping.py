"""Kill Bill's bundles, accounts, invoices and items as our records."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta, tzinfo
from decimal import Decimal
from typing import Any, get_args

from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, Kind, Media, Subscriber
from storage.billing._client.fields import amount, day, moment, name, part, tables, text, told
from storage.billing.sql import state_of

TAX = "TAX"
RUBRICS: Mapping[str, str] = {
    "RECURRING": "subscriptions",
    "USAGE": "communications",
    "FIXED": "one_off",
    "EXTERNAL_CHARGE": "one_off",
}
"""Rubric by item type; adjustments, repairs and credits are `one_off` too."""
KINDS: tuple[Kind, ...] = get_args(Kind)
ADDRESS = ("address1", "address2", "postalCode", "city", "country")


def published(found: Mapping[str, Any]) -> bool:
    """A draft is not published; nor is a state we do not know."""
    return found.get("status") in ("COMMITTED", "VOID")


def bill(found: Mapping[str, Any], due_days: int, today: date, zone: tzinfo) -> Bill:
    """An invoice that may be shown; Down when what is shown of it cannot be used."""
    identity = name(found.get("invoiceId"), "invoiceId")
    issued = day(found.get("invoiceDate"), zone, "invoiceDate")
    due = issued + timedelta(days=due_days)
    total, void = amount(found.get("amount"), "amount"), found.get("status") == "VOID"
    remaining = Decimal(0) if void else amount(found.get("balance"), "balance")
    taxes = [each for each in tables(found.get("items")) if each.get("itemType") == TAX]
    return Bill(
        id=identity,
        number=told(found.get("invoiceNumber")) or identity,
        account=name(found.get("accountId"), "accountId"),
        issued=issued,
        due=due,
        total=total,
        tax=sum((amount(each.get("amount"), "tax") for each in taxes), Decimal(0)),
        remaining=remaining,
        state=state_of(total, remaining, due, today, cancelled=void),
    )


def lines(found: Mapping[str, Any], rubrics: Mapping[str, str], numbers: Mapping[str, str]) -> list[BillLine]:
    """The items, each with the tax linked to it; tax that is linked to none is a line of its own.

    `numbers` are those of the account's bundles: whose line an item is.
    """
    items, taxes = list(tables(found.get("items"))), dict[str, Decimal]()
    for each in items:
        if each.get("itemType") == TAX:
            linked = told(each.get("linkedInvoiceItemId"))
            taxes[linked] = taxes.get(linked, Decimal(0)) + amount(each.get("amount"), "amount")
    shown = [_line(each, rubrics, taxes, numbers) for each in items if each.get("itemType") != TAX]
    rest = sum(taxes.values(), Decimal(0))
    return [*shown, BillLine("one_off", "", rest)] if rest else shown


def _line(
    found: Mapping[str, Any],
    rubrics: Mapping[str, str],
    taxes: dict[str, Decimal],
    numbers: Mapping[str, str],
) -> BillLine:
    identity = told(found.get("invoiceItemId"))
    words = [text(found.get(each)) for each in ("productName", "planName", "usageName", "itemType")]
    own = next((rubrics[word] for word in words if word in rubrics), "")
    shown = own or RUBRICS.get(words[-1], "one_off")
    days, of_days = part(_date(found.get("startDate")), _date(found.get("endDate")))
    return BillLine(
        "prorata" if days and shown == "subscriptions" else shown,
        numbers.get(told(found.get("bundleId")), ""),
        amount(found.get("amount"), "amount") + taxes.pop(identity, Decimal(0)),
        identity,
        text(found.get("description")),
        "",
        days,
        of_days,
    )


def _date(value: object) -> date | None:
    """A local date; None for anything that is none."""
    found = moment(value, UTC)
    return found.date() if found else None


def media(fields: Sequence[Mapping[str, str]], wanted: str) -> Media:
    """How bills reach an account: what its custom field says, else on paper."""
    return "email" if any(each["name"] == wanted and each["value"] == "email" for each in fields) else "paper"


def bundle_of(found: object) -> Mapping[str, Any]:
    """Of an answer's bundles the first that goes on, else the first; an empty one for none.

    A line that was closed and opened anew, and an account that gave up one of its lines, have both kinds.
    """
    bundles = [*tables(found), *tables([found])]
    return next((each for each in bundles if _base(each)), next(iter(bundles), {}))


def holder_of(bundle: Mapping[str, Any]) -> str:
    """The account a bundle is charged to."""
    return name(bundle.get("accountId"), "accountId")


def subscriber(
    bundle: Mapping[str, Any],
    account: Mapping[str, Any],
    fields: Sequence[Mapping[str, str]],
    kinds: Mapping[str, str],
    operator: str,
    zone: tzinfo,
) -> Subscriber:
    """Who holds a bundle: the bundle is the subscription, its account says who they are.

    NotFound for a bundle without a subscription that has started: nobody knows since when it is theirs.
    """
    line = _base(bundle)
    if line is None:
        raise NotFound
    kind, email = kinds.get(text(line.get("productName")), "mobile"), text(account.get("email"), 320)
    words = {each["name"]: each["value"] for each in fields}
    return Subscriber(
        id=name(bundle.get("bundleId"), "bundleId"),
        operator=operator,
        msisdn=text(bundle.get("externalKey")),
        account=holder_of(bundle),
        name=text(account.get("name")),
        kind=kind if kind in KINDS else "mobile",
        segment="business" if text(account.get("company")) else "residential",
        language=text(account.get("locale"))[:2].lower(),
        since=day(line["startDate"], zone, "startDate"),
        email=email if "@" in email else "",
        email_validated=words.get("emailValidated") == "true",
        address=", ".join(filter(None, (text(account.get(each)) for each in ADDRESS))),
        siret=words.get("siret", ""),
        account_number=text(account.get("externalKey")),
    )


def _base(bundle: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The subscription the others in a bundle hang on; None when there is none, or it is over."""
    for each in tables(bundle.get("subscriptions")):
        going = each.get("startDate") and each.get("state") != "CANCELLED"
        if going and each.get("productCategory") != "ADD_ON":
            return each
    return None
