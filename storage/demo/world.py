"""The demo world: invented people, their passwords and their bills, put where a real operator's would be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import Connection, bindparam, delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import Secret
from storage.credentials.passwords import SqlPasswords
from storage.demo import extras
from storage.sql.engine import Database
from storage.sql.schema import (
    billing_bills,
    billing_documents,
    billing_entries,
    billing_lines,
    billing_subscribers,
)

SWIFT = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's reader, ten times as fast, where PyYAML was built with it."""
WORLD = Path(__file__).parent / "world.yaml"

SECRETS = ("password", "pin", "customer_code")
"""Kinds of secret a person of the demo world may have, by their name in the file."""

DECIMALS: Mapping[str, Decimal] = {"TND": Decimal("0.001")}
"""Currencies that do not count in hundredths."""

CUSTOMER_SINCE = date(2021, 3, 1)
"""Of everybody but this month's newcomers: a fixed day, for another day would mean another owner."""

DAYS_TO_PAY = timedelta(days=3)
"""A bill still to pay is due in three days at the earliest, whatever today's date."""

ADD_SUBSCRIBER = upsert(billing_subscribers).on_conflict_do_nothing(index_elements=[billing_subscribers.c.id])
RENEW = (
    update(billing_subscribers)
    .where(billing_subscribers.c.id == bindparam("whose"))
    .values(since=bindparam("from_day"), sim_changed_at=bindparam("changed"))
)
ADD_BILL, ADD_LINE = insert(billing_bills), insert(billing_lines)
ADD_ENTRY, ADD_DOCUMENT = insert(billing_entries), insert(billing_documents)
DROP_ENTRIES = delete(billing_entries).where(
    billing_entries.c.operator == bindparam("operator"), billing_entries.c.account == bindparam("account")
)
DROP_BILLS = delete(billing_bills).where(
    billing_bills.c.operator == bindparam("operator"), billing_bills.c.account == bindparam("account")
)


@dataclass(frozen=True, slots=True)
class Shop:
    """An operator of the demo world, on one day in its own time zone."""

    name: str
    prefix: str
    due_after: timedelta
    tax_percent: Decimal
    unit: Decimal
    today: date

    def money(self, amount: object) -> Decimal:
        """An amount with exactly the currency's decimals."""
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
    """The first of the month so many months before."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def first_bill(shop: Shop, state: str) -> date:
    """When the newest bill was issued: on the first of this month.

    One that must be overdue is last month's when this month's is not yet due.
    """
    this_month = months_before(shop.today, 0)
    early = state == "overdue" and this_month + shop.due_after >= shop.today
    return months_before(shop.today, 1) if early else this_month


def account_of(msisdn: str) -> str:
    """The account number: the line's own digits."""
    return msisdn.removeprefix("+")


def amounts_of(person: Mapping[str, Any]) -> list[Any]:
    """What each bill comes to, newest first."""
    repeat = person.get("repeat")
    return [repeat["amount"]] * repeat["months"] if repeat else list(person["amounts"])


def bills_of(shop: Shop, person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The person's bills, newest first; all but the newest are paid."""
    state = person.get("first_state", "paid")
    start = first_bill(shop, state)
    dated = [(months_before(start, index), amount) for index, amount in enumerate(amounts_of(person))]
    rows = [_bill(shop, person, issued, shop.money(amount)) for issued, amount in dated]
    if rows and state != "paid":
        rows[0]["remaining"] = rows[0]["total"] - shop.money(person.get("paid", 0))
    if rows and state in ("due", "partial"):
        rows[0]["due"] = max(rows[0]["due"], shop.today + DAYS_TO_PAY)
    return rows


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
    """A bill's amount by rubric: as listed for the newest, else four fifths subscription; it adds up."""
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
    """The detail of all these bills."""
    return [line for index, row in enumerate(rows) for line in _lines_of(shop, person, row, newest=index == 0)]


def _lines_of(
    shop: Shop, person: Mapping[str, Any], row: Mapping[str, Any], *, newest: bool
) -> Iterator[dict[str, Any]]:
    """One bill's lines: everybody on the account has a share of it, split by rubric."""
    users = extras.users_of(person)
    for (centre, user), share in zip(users, extras.shares(row["total"], len(users), shop.unit), strict=True):
        for rubric, amount in split(shop, person, share, newest=newest).items():
            line = {"operator": shop.name, "bill": row["id"], "rubric": rubric, "user": user, "amount": amount}
            yield {**line, "label": "", "centre": centre, **extras.part_of(person, rubric)}


def subscriber_of(shop: Shop, person: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The person as a subscriber of the shop, at an instant."""
    account = account_of(person["msisdn"])
    newcomer = person.get("subscribed") == "this_month"
    return {
        "id": f"{shop.name}-{account}",
        "operator": shop.name,
        "msisdn": person["msisdn"],
        "account": account,
        "name": person["name"],
        "kind": person["kind"],
        "segment": person["segment"],
        "language": person["language"],
        "since": months_before(shop.today, 0) if newcomer else CUSTOMER_SINCE,
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
    """Write one person: what they chose since the last seeding stays, their bills follow the calendar."""
    row = subscriber_of(shop, person, now)
    bills = bills_of(shop, person)
    connection.execute(ADD_SUBSCRIBER, row)
    renewed = {"whose": row["id"], "from_day": row["since"], "changed": row["sim_changed_at"]}
    connection.execute(RENEW, renewed)
    whose = {"operator": shop.name, "account": row["account"]}
    connection.execute(DROP_BILLS, whose)
    connection.execute(DROP_ENTRIES, whose)
    entries = list(extras.entries_of(shop.name, row["account"], person, shop.today, shop.unit))
    if entries:
        connection.execute(ADD_ENTRY, entries)
    if bills:
        connection.execute(ADD_BILL, bills)
        connection.execute(ADD_LINE, lines_of(shop, person, bills))
    if bills and "siret" in person:
        connection.execute(ADD_DOCUMENT, [extras.document(shop.name, bill["id"]) for bill in bills])


@dataclass(frozen=True, slots=True)
class Rows:
    """One operator of the demo world, as the rows of its tables."""

    shop: Shop
    zone: ZoneInfo
    currency: str
    people: list[dict[str, Any]] = field(default_factory=list, repr=False)
    bills: list[dict[str, Any]] = field(default_factory=list, repr=False)
    lines: list[dict[str, Any]] = field(default_factory=list, repr=False)
    entries: list[dict[str, Any]] = field(default_factory=list, repr=False)
    documents: list[dict[str, Any]] = field(default_factory=list, repr=False)


def rows(operator: str, now: datetime, world: Mapping[str, Any] | None = None) -> Rows:
    """An operator's people and what is theirs as they stand at `now` (aware), in the demo world or another."""
    told = (known() if world is None else world)[operator]
    found = Rows(_shop(operator, told, now), ZoneInfo(told["time_zone"]), told["currency"])
    for person in told["subscribers"]:
        bills = bills_of(found.shop, person)
        found.people.append(subscriber_of(found.shop, person, now))
        found.bills.extend(bills)
        found.lines.extend(lines_of(found.shop, person, bills))
        account, shop = account_of(person["msisdn"]), found.shop
        found.entries.extend(extras.entries_of(operator, account, person, shop.today, shop.unit))
        found.documents.extend(extras.document(operator, bill["id"]) for bill in bills if "siret" in person)
    return found


@cache
def known() -> dict[str, Any]:
    """The demo world as its file tells it, by operator."""
    world: dict[str, Any] = yaml.load(WORLD.read_text(encoding="utf-8"), SWIFT)  # noqa: S506 - safe, both
    return world


async def seed(
    database: Database, passwords: SqlPasswords, now: datetime, world: Mapping[str, Any] | None = None
) -> None:
    """Put the demo world there as it stands at `now` (aware). Repeating it is harmless.

    Secrets are set only where there are none, so one changed in the demo stays changed.
    """
    world = known() if world is None else world
    people = [
        (_shop(name, told, now), person) for name, told in world.items() for person in told["subscribers"]
    ]

    def job(connection: Connection) -> None:
        for shop, person in people:
            _settle_in(connection, shop, person, now)

    await database.write(job, seconds=60)
    for shop, person in people:
        await _secrets(passwords, shop.name, person, now)


async def _secrets(passwords: SqlPasswords, operator: str, person: Mapping[str, Any], now: datetime) -> None:
    for kind in SECRETS:
        if kind in person and not await passwords.known(operator, person["msisdn"], kind):
            await passwords.put(operator, person["msisdn"], Secret(str(person[kind])), kind, now)


def cast(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """The people of an operator as a world tells them: number, name, language, and the secrets they know."""
    return [_role(person) for person in told["subscribers"]]


def _role(person: Mapping[str, Any]) -> dict[str, str]:
    known = (f"{kind.replace('_', ' ')} {person[kind]}" for kind in SECRETS if kind in person)
    role = {"number": person["msisdn"], "name": person["name"], "language": person["language"]}
    return {**role, "knows": ", ".join([person["kind"], person["segment"], *known])}
