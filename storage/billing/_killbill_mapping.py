"""Map Kill Bill's bundles, accounts, invoices and items to our records."""

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
"""Rubric by item type; others (adjustments, repairs, credits) are `one_off`."""
KINDS: tuple[Kind, ...] = get_args(Kind)
ADDRESS = ("address1", "address2", "postalCode", "city", "country")


def published(found: Mapping[str, Any]) -> bool:
    """Return whether an invoice may be shown: committed or void, not a draft or an unknown state."""
    return found.get("status") in ("COMMITTED", "VOID")


def bill(found: Mapping[str, Any], due_days: int, today: date, zone: tzinfo) -> Bill:
    """Parse a published invoice; Down when a field that is shown cannot be used."""
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
    """Parse the items, each with the tax linked to it; unlinked tax is a line of its own.

    `numbers`: phone number by bundle id, to say which line an item belongs to.
    """
    items, taxes = list(tables(found.get("items"))), dict[str, Decimal]()
    for each in items:
        if each.get("itemType") == TAX:
            linked = told(each.get("linkedInvoiceItemId"))
            taxes[linked] = taxes.get(linked, Decimal(0)) + amount(each.get("amount"), "amount")
    bill_lines = [_line(each, rubrics, taxes, numbers) for each in items if each.get("itemType") != TAX]
    rest = sum(taxes.values(), Decimal(0))
    return [*bill_lines, BillLine("one_off", "", rest)] if rest else bill_lines


def _line(
    found: Mapping[str, Any],
    rubrics: Mapping[str, str],
    taxes: dict[str, Decimal],
    numbers: Mapping[str, str],
) -> BillLine:
    identity = told(found.get("invoiceItemId"))
    words = [text(found.get(each)) for each in ("productName", "planName", "usageName", "itemType")]
    by_settings = next((rubrics[word] for word in words if word in rubrics), "")
    rubric = by_settings or RUBRICS.get(words[-1], "one_off")
    days, of_days = part(_date(found.get("startDate")), _date(found.get("endDate")))
    return BillLine(
        "prorata" if days and rubric == "subscriptions" else rubric,
        numbers.get(told(found.get("bundleId")), ""),
        amount(found.get("amount"), "amount") + taxes.pop(identity, Decimal(0)),
        identity,
        text(found.get("description")),
        "",
        days,
        of_days,
    )


def _date(value: object) -> date | None:
    """Parse a date; None when invalid."""
    instant = moment(value, UTC)
    return instant.date() if instant else None


def media(fields: Sequence[Mapping[str, str]], wanted: str) -> Media:
    """Return how bills reach an account: `email` if its custom field says so, else `paper`."""
    return "email" if any(each["name"] == wanted and each["value"] == "email" for each in fields) else "paper"


def bundle_of(found: object) -> Mapping[str, Any]:
    """Return the first bundle with a running base subscription, else the first; empty when none.

    A line that was closed and reopened, or an account that closed one of its lines, has both kinds.
    """
    bundles = [*tables(found), *tables([found])]
    return next((each for each in bundles if _base(each)), next(iter(bundles), {}))


def holder_of(bundle: Mapping[str, Any]) -> str:
    """Return the id of the account a bundle is charged to."""
    return name(bundle.get("accountId"), "accountId")


def subscriber(
    bundle: Mapping[str, Any],
    account: Mapping[str, Any],
    fields: Sequence[Mapping[str, str]],
    kinds: Mapping[str, str],
    operator: str,
    zone: tzinfo,
) -> Subscriber:
    """Build the subscriber of a bundle; names and addresses come from its account.

    NotFound for a bundle without a running base subscription, as the start of ownership is unknown.
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
    """Return the base subscription of a bundle; None when there is none or it is cancelled."""
    for each in tables(bundle.get("subscriptions")):
        is_running = each.get("startDate") and each.get("state") != "CANCELLED"
        if is_running and each.get("productCategory") != "ADD_ON":
            return each
    return None
