"""Demo world: subscribers, secrets and bills computed from `world.yaml` and written to the database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import Connection

from flows.domain.records import Secret
from storage.credentials.passwords import SqlPasswords
from storage.demo import extras, statements
from storage.sql.engine import Database

SWIFT = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, ten times as fast, where PyYAML was built with it."""
WORLD = Path(__file__).parent / "world.yaml"

SECRETS = ("password", "pin", "customer_code")
"""Kinds of secret a person may have, by their key in the file."""

DECIMALS: Mapping[str, Decimal] = {"TND": Decimal("0.001")}
"""Smallest unit of the currencies that do not have hundredths."""

CUSTOMER_SINCE = date(2021, 3, 1)
"""Subscription start, except of this month's newcomers: fixed, as another day would mean another owner."""

DAYS_TO_PAY = timedelta(days=3)
"""An unpaid bill is due in three days at the earliest, whatever today's date."""


@dataclass(frozen=True, slots=True)
class Shop:
    """An operator of the demo world on one day, `today` in its own time zone."""

    name: str
    prefix: str
    due_after: timedelta
    tax_percent: Decimal
    unit: Decimal
    """The smallest unit of its currency."""
    today: date

    def money(self, amount: object) -> Decimal:
        """Round an amount to the currency's decimals."""
        return Decimal(str(amount)).quantize(self.unit, ROUND_HALF_UP)


def _shop(name: str, told: Mapping[str, Any], now: datetime) -> Shop:
    return Shop(
        name,
        prefix=told["bill_prefix"],
        due_after=timedelta(days=told["due_days"]),
        tax_percent=Decimal(told["tax_percent"]),
        unit=DECIMALS.get(told["currency"], Decimal("0.01")),
        today=now.astimezone(ZoneInfo(told["time_zone"])).date(),
    )


def months_before(day: date, months: int) -> date:
    """Return the first day of the month that is `months` before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def first_bill(shop: Shop, state: str) -> date:
    """Return the issue date of the newest bill: the first of this month.

    For state `overdue` it is the first of last month while this month's bill is not yet due.
    """
    this_month = months_before(shop.today, 0)
    early = state == "overdue" and this_month + shop.due_after >= shop.today
    return months_before(shop.today, 1) if early else this_month


def account_of(msisdn: str) -> str:
    """Return the account number: the digits of the line's number."""
    return msisdn.removeprefix("+")


def amounts_of(person: Mapping[str, Any]) -> list[Any]:
    """Return the totals of a person's bills, newest first."""
    repeat = person.get("repeat")
    return [repeat["amount"]] * repeat["months"] if repeat else list(person["amounts"])


def bills_of(shop: Shop, person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Build the rows of a person's bills, newest first; all but the newest are paid."""
    state = person.get("first_state", "paid")
    start = first_bill(shop, state)
    months = [(months_before(start, index), amount) for index, amount in enumerate(amounts_of(person))]
    bills = [_bill(shop, person, issued, shop.money(amount)) for issued, amount in months]
    if bills and state != "paid":
        bills[0]["remaining"] = bills[0]["total"] - shop.money(person.get("paid", 0))
    if bills and state in ("due", "partial"):
        bills[0]["due"] = max(bills[0]["due"], shop.today + DAYS_TO_PAY)
    return bills


def _bill(shop: Shop, person: Mapping[str, Any], issued: date, total: Decimal) -> dict[str, Any]:
    number = f"{shop.prefix}-{issued:%Y%m}-{person['msisdn'][-4:]}"
    return {
        "operator": shop.name,
        "id": number,
        "number": number,
        "account": account_of(person["msisdn"]),
        "issued": issued,
        "due": issued + shop.due_after,
        "total": total,
        "tax": shop.money(total * shop.tax_percent / (100 + shop.tax_percent)),
        "remaining": shop.money(0),
    }


def split(shop: Shop, person: Mapping[str, Any], total: Decimal, *, newest: bool) -> dict[str, Decimal]:
    """Split a bill's total by rubric: as listed for the newest, else four fifths subscription."""
    if newest and "lines" in person:
        return {rubric: shop.money(amount) for rubric, amount in person["lines"].items() if amount}
    parts: dict[str, Decimal] = {}
    if newest and "prorata" in person:
        parts["prorata"] = shop.money(person["prorata"]["amount"])
        parts["one_off"] = shop.money(person["one_off"])
        return {"subscriptions": total - sum(parts.values()), **parts}
    parts["subscriptions"] = shop.money(total * 4 / 5)
    return {**parts, "communications": total - parts["subscriptions"]}


def lines_of(shop: Shop, person: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Build the detail rows of all these bills, newest bill first."""
    return [line for index, row in enumerate(rows) for line in _lines_of(shop, person, row, newest=index == 0)]


def _lines_of(
    shop: Shop, person: Mapping[str, Any], row: Mapping[str, Any], *, newest: bool
) -> Iterator[dict[str, Any]]:
    """Yield one bill's detail rows: an equal share per user of the account, split by rubric."""
    users = extras.users_of(person)
    shares = extras.shares(row["total"], len(users), shop.unit)
    for (centre, user), share in zip(users, shares, strict=True):
        line = {"operator": shop.name, "bill": row["id"], "label": "", "centre": centre, "user": user}
        for rubric, amount in split(shop, person, share, newest=newest).items():
            yield {**line, "rubric": rubric, "amount": amount, **extras.part_of(person, rubric)}


def subscriber_of(shop: Shop, person: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Build the row of a person as a subscriber of the operator at `now`."""
    account = account_of(person["msisdn"])
    is_newcomer = person.get("subscribed") == "this_month"
    return {
        "id": f"{shop.name}-{account}",
        "operator": shop.name,
        "msisdn": person["msisdn"],
        "account": account,
        "name": person["name"],
        "kind": person["kind"],
        "segment": person["segment"],
        "language": person["language"],
        "since": months_before(shop.today, 0) if is_newcomer else CUSTOMER_SINCE,
        "email": person.get("email", ""),
        "email_validated": person.get("email_validated", False),
        "address": "",
        "media": person["delivery"],
        "siret": person.get("siret", ""),
        "sim_changed_at": _sim_changed(person, now),
    }


def _sim_changed(person: Mapping[str, Any], now: datetime) -> datetime | None:
    hours = person.get("sim_changed_hours")
    return None if hours is None else now - timedelta(hours=hours)


def _settle_in(connection: Connection, shop: Shop, person: Mapping[str, Any], now: datetime) -> None:
    """Write one person; their own choices since the last seeding stay, their bills follow the calendar."""
    row = subscriber_of(shop, person, now)
    bills = bills_of(shop, person)
    connection.execute(statements.ADD_SUBSCRIBER, row)
    dates = {"whose": row["id"], "from_day": row["since"], "changed": row["sim_changed_at"]}
    connection.execute(statements.RENEW, dates)
    account = {"operator": shop.name, "account": row["account"]}
    connection.execute(statements.DROP_BILLS, account)
    connection.execute(statements.DROP_ENTRIES, account)
    usage = extras.entries_of(shop.name, row["account"], person, shop.today, shop.unit)
    entries = list(usage)
    if entries:
        connection.execute(statements.ADD_ENTRY, entries)
    if bills:
        connection.execute(statements.ADD_BILL, bills)
        connection.execute(statements.ADD_LINE, lines_of(shop, person, bills))
    if bills and "siret" in person:
        documents = [extras.document(shop.name, bill["id"]) for bill in bills]
        connection.execute(statements.ADD_DOCUMENT, documents)


@dataclass(frozen=True, slots=True)
class Rows:
    """One operator of the demo world as rows of the billing tables."""

    shop: Shop
    zone: ZoneInfo
    currency: str
    people: list[dict[str, Any]] = field(default_factory=list, repr=False)
    bills: list[dict[str, Any]] = field(default_factory=list, repr=False)
    lines: list[dict[str, Any]] = field(default_factory=list, repr=False)
    entries: list[dict[str, Any]] = field(default_factory=list, repr=False)
    documents: list[dict[str, Any]] = field(default_factory=list, repr=False)


def rows(operator: str, now: datetime, world: Mapping[str, Any] | None = None) -> Rows:
    """Build an operator's rows as of `now` (aware), from the demo world or another definition."""
    definition = (known() if world is None else world)[operator]
    result = Rows(_shop(operator, definition, now), ZoneInfo(definition["time_zone"]), definition["currency"])
    for person in definition["subscribers"]:
        bills = bills_of(result.shop, person)
        result.people.append(subscriber_of(result.shop, person, now))
        result.bills.extend(bills)
        result.lines.extend(lines_of(result.shop, person, bills))
        account = account_of(person["msisdn"])
        today, unit = result.shop.today, result.shop.unit
        result.entries.extend(extras.entries_of(operator, account, person, today, unit))
        result.documents.extend(extras.document(operator, bill["id"]) for bill in bills if "siret" in person)
    return result


@cache
def known() -> dict[str, Any]:
    """Load `world.yaml`, cached: definitions by operator."""
    world: dict[str, Any] = yaml.load(WORLD.read_text(encoding="utf-8"), SWIFT)  # noqa: S506 - safe, both
    return world


async def seed(
    database: Database, passwords: SqlPasswords, now: datetime, world: Mapping[str, Any] | None = None
) -> None:
    """Write the demo world as of `now` (aware) to the database. Idempotent.

    Secrets are set only where there are none, so one changed in the demo stays changed.
    """
    world = known() if world is None else world
    people = [
        (_shop(name, definition, now), person)
        for name, definition in world.items()
        for person in definition["subscribers"]
    ]

    def job(connection: Connection) -> None:
        for operator, person in people:
            _settle_in(connection, operator, person, now)

    await database.write(job, seconds=60)
    for operator, person in people:
        await _secrets(passwords, operator.name, person, now)


async def _secrets(passwords: SqlPasswords, operator: str, person: Mapping[str, Any], now: datetime) -> None:
    for kind in SECRETS:
        if kind in person and not await passwords.known(operator, person["msisdn"], kind):
            await passwords.put(operator, person["msisdn"], Secret(str(person[kind])), kind, now)


def cast(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the people of an operator: number, name, language, and what they know."""
    return [_role(person) for person in told["subscribers"]]


def _role(person: Mapping[str, Any]) -> dict[str, str]:
    secrets = (f"{kind.replace('_', ' ')} {person[kind]}" for kind in SECRETS if kind in person)
    role = {"number": person["msisdn"], "name": person["name"], "language": person["language"]}
    return {**role, "knows": ", ".join([person["kind"], person["segment"], *secrets])}
