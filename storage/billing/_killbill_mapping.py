"""Map Kill Bill's bundles, accounts, invoices and items to our records."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta, tzinfo
from decimal import Decimal
from typing import Any, get_args

from flows.domain.bill_delivery import BillMedia
from flows.domain.failures import InvalidRecord, NotFound
from flows.domain.records import Bill, BillLine, LineKind, Subscriber
from storage.billing._client.answer_fields import (
    clean_text,
    identifier_text,
    objects_in,
    parse_day,
    parse_instant,
    prorata_days,
    require_identifier,
)
from storage.billing._client.bill_state import bill_state
from storage.billing._client.currency import CurrencyRule, outstanding_amount
from storage.billing._client.ownership import OwnershipClaim, collect_numbers, end_day, start_day
from storage.billing._killbill_marks import charge_key

TAX, CREDIT_USED = "TAX", "CBA_ADJ"
"""Item types that are no charge of their own: tax is added to its item, a credit used is a payment."""
RUBRIC_BY_ITEM_TYPE: Mapping[str, str] = {
    "RECURRING": "subscriptions",
    "USAGE": "communications",
    "FIXED": "one_off",
    "EXTERNAL_CHARGE": "one_off",
}
"""Rubric by item type; others (adjustments, repairs, credits) are `one_off`."""
ENDED_STATES = ("CANCELLED", "EXPIRED")
"""EntitlementState of subscriptions that are over; the others are PENDING, ACTIVE and BLOCKED."""
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)
ADDRESS_FIELDS = ("address1", "address2", "postalCode", "city", "country")


def is_published(invoice: Mapping[str, Any]) -> bool:
    """Return whether an invoice may be shown: committed or void, not a draft or an unknown state."""
    return invoice.get("status") in ("COMMITTED", "VOID")


def is_shallow(invoice: Mapping[str, Any]) -> bool:
    """Return whether an invoice may come from a list without items, whose amounts are always 0."""
    return not invoice.get("items") and not invoice.get("amount") and not invoice.get("balance")


def issue_day(invoice: Mapping[str, Any], zone: tzinfo) -> date | None:
    """Return the day of an invoice; None when it cannot be read."""
    try:
        return parse_day(invoice.get("invoiceDate"), zone, "invoiceDate")
    except InvalidRecord:
        return None


def parse_bill(
    invoice: Mapping[str, Any], due_days: int, today: date, zone: tzinfo, currency: CurrencyRule
) -> Bill:
    """Parse a published invoice; InvalidRecord when a field that is shown cannot be used."""
    identity = require_identifier(invoice.get("invoiceId"), "invoiceId")
    issued = parse_day(invoice.get("invoiceDate"), zone, "invoiceDate")
    due = issued + timedelta(days=due_days)
    unit, void = invoice.get("currency"), invoice.get("status") == "VOID"
    total = currency.parse_money(invoice.get("amount"), unit, "amount")
    balance = Decimal(0) if void else currency.parse_money(invoice.get("balance"), unit, "balance")
    remaining = outstanding_amount(total, balance)
    taxes = [each for each in own_items(invoice) if each.get("itemType") == TAX]
    return Bill(
        id=identity,
        number=identifier_text(invoice.get("invoiceNumber")) or identity,
        account=require_identifier(invoice.get("accountId"), "accountId"),
        issued=issued,
        due=due,
        total=total,
        tax=sum((currency.parse_money(each.get("amount"), unit, "tax") for each in taxes), Decimal(0)),
        remaining=remaining,
        state=bill_state(total, remaining, due, today, cancelled=void),
    )


def own_items(invoice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the items of an invoice; one that names another invoice or account is not used."""
    return [
        each
        for each in objects_in(invoice.get("items"))
        if all(each.get(name) in (None, invoice.get(name)) for name in ("invoiceId", "accountId"))
    ]


def parse_bill_lines(
    invoice: Mapping[str, Any],
    rubrics: Mapping[str, str],
    numbers: Mapping[str, str],
    currency: CurrencyRule,
) -> list[BillLine]:
    """Parse the items, each with the tax linked to it; unlinked tax is a line of its own.

    A credit used (`CBA_ADJ`) is no charge, so it is no line. `numbers`: phone number by bundle id, to say
    which line an item belongs to.
    """
    items, taxes = own_items(invoice), dict[str, Decimal]()
    for each in items:
        if each.get("itemType") == TAX:
            linked = identifier_text(each.get("linkedInvoiceItemId"))
            taxes[linked] = taxes.get(linked, Decimal(0)) + _item_amount(each, currency)
    bill_lines = [
        _parse_bill_line(each, rubrics, taxes, numbers, currency)
        for each in items
        if each.get("itemType") not in (TAX, CREDIT_USED)
    ]
    rest = sum(taxes.values(), Decimal(0))
    return currency.round_bill_lines([*bill_lines, BillLine("one_off", "", rest)] if rest else bill_lines)


def _item_amount(item: Mapping[str, Any], currency: CurrencyRule) -> Decimal:
    return currency.parse_exact(item.get("amount"), item.get("currency"), "amount")


def _parse_bill_line(
    item: Mapping[str, Any],
    rubrics: Mapping[str, str],
    taxes: dict[str, Decimal],
    numbers: Mapping[str, str],
    currency: CurrencyRule,
) -> BillLine:
    identity = identifier_text(item.get("invoiceItemId"))
    words = [clean_text(item.get(each)) for each in ("productName", "planName", "usageName", "itemType")]
    by_settings = next((rubrics[word] for word in words if word in rubrics), "")
    ours = "third_party" if charge_key(item) else ""
    rubric = ours or by_settings or RUBRIC_BY_ITEM_TYPE.get(words[-1], "one_off")
    days, of_days = prorata_days(_parse_date(item.get("startDate")), _parse_date(item.get("endDate")))
    return BillLine(
        "prorata" if days and rubric == "subscriptions" else rubric,
        numbers.get(identifier_text(item.get("bundleId")), ""),
        _item_amount(item, currency) + taxes.pop(identity, Decimal(0)),
        identity,
        clean_text(item.get("description")),
        "",
        days,
        of_days,
    )


def _parse_date(value: object) -> date | None:
    """Parse a date; None when invalid."""
    instant = parse_instant(value, UTC)
    return instant.date() if instant else None


def media_from_fields(fields: Sequence[Mapping[str, str]], field_name: str) -> BillMedia:
    """Return how bills reach an account: `email` if its custom field says so, else `paper`."""
    return (
        "email" if any(each["name"] == field_name and each["value"] == "email" for each in fields) else "paper"
    )


def email_of_account(account: Mapping[str, Any]) -> str:
    """Return an account's e-mail address; empty when it has none."""
    email = clean_text(account.get("email"), 320)
    return email if "@" in email else ""


def ownership_claim(bundle: Mapping[str, Any], zone: tzinfo) -> OwnershipClaim[Mapping[str, Any]]:
    """Return a bundle's owner fields; one without a running base subscription has ended.

    A line that was closed and reopened, or an account that closed one of its lines, has both kinds.
    """
    line = base_subscription(bundle)
    account = identifier_text(bundle.get("accountId"))
    return OwnershipClaim(
        record=bundle,
        accounts=frozenset([account] if account else []),
        numbers=collect_numbers(bundle.get("externalKey")),
        status=clean_text(line.get("state")) if line else "CANCELLED",
        starts=start_day(line.get("startDate"), zone) if line else None,
        ends=end_day(line.get("cancelledDate"), zone) if line else None,
    )


def account_id_of(bundle: Mapping[str, Any]) -> str:
    """Return the id of the account a bundle is charged to."""
    return require_identifier(bundle.get("accountId"), "accountId")


def parse_subscriber(
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
    line = base_subscription(bundle)
    if line is None:
        raise NotFound
    kind = kinds.get(clean_text(line.get("productName")), "mobile")
    words = {each["name"]: each["value"] for each in fields}
    return Subscriber(
        id=require_identifier(bundle.get("bundleId"), "bundleId"),
        operator=operator,
        msisdn=clean_text(bundle.get("externalKey")),
        account=account_id_of(bundle),
        name=clean_text(account.get("name")),
        kind=kind if kind in LINE_KINDS else "mobile",
        segment="business" if clean_text(account.get("company")) else "residential",
        language=clean_text(account.get("locale"))[:2].lower(),
        since=parse_day(line["startDate"], zone, "startDate"),
        email=email_of_account(account),
        email_validated=words.get("emailValidated") == "true",
        address=", ".join(filter(None, (clean_text(account.get(each)) for each in ADDRESS_FIELDS))),
        siret=words.get("siret", ""),
        account_number=clean_text(account.get("externalKey")),
    )


def base_subscription(bundle: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the base subscription of a bundle; None when there is none or it has ended."""
    for each in objects_in(bundle.get("subscriptions")):
        is_running = each.get("startDate") and each.get("state") not in ENDED_STATES
        if is_running and each.get("productCategory") != "ADD_ON":
            return each
    return None
