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
from storage.demo import activity, demo_purchases, extras, statements
from storage.demo.demo_marker import require_marker
from storage.sql.engine import Database

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, ten times as fast, where PyYAML was built with it."""
WORLD_FILE = Path(__file__).parent / "world.yaml"

SECRET_KINDS = ("password", "pin", "customer_code")
"""Kinds of secret a person may have, by their key in the file."""

CURRENCY_UNITS: Mapping[str, Decimal] = {"TND": Decimal("0.001")}
"""Smallest unit of the currencies that do not have hundredths."""

CUSTOMER_SINCE = date(2021, 3, 1)
"""Subscription start, except of this month's newcomers: fixed, as another day would mean another owner."""

MIN_TIME_TO_PAY = timedelta(days=3)
"""An unpaid bill is due in three days at the earliest, whatever today's date."""


@dataclass(frozen=True, slots=True)
class DemoOperator:
    """An operator of the demo world on one day, `today` in its own time zone."""

    name: str
    bill_prefix: str
    due_after: timedelta
    tax_percent: Decimal
    unit: Decimal
    """The smallest unit of its currency."""
    today: date

    def round_amount(self, amount: object) -> Decimal:
        """Round an amount to the currency's decimals."""
        return Decimal(str(amount)).quantize(self.unit, ROUND_HALF_UP)


def _build_operator(name: str, definition: Mapping[str, Any], now: datetime) -> DemoOperator:
    return DemoOperator(
        name,
        bill_prefix=definition["bill_prefix"],
        due_after=timedelta(days=definition["due_days"]),
        tax_percent=Decimal(definition["tax_percent"]),
        unit=CURRENCY_UNITS.get(definition["currency"], Decimal("0.01")),
        today=now.astimezone(ZoneInfo(definition["time_zone"])).date(),
    )


def months_before(day: date, months: int) -> date:
    """Return the first day of the month that is `months` before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def newest_bill_date(operator: DemoOperator, state: str) -> date:
    """Return the issue date of the newest bill: the first of this month.

    For state `overdue` it is the first of last month while this month's bill is not yet due.
    """
    this_month = months_before(operator.today, 0)
    early = state == "overdue" and this_month + operator.due_after >= operator.today
    return months_before(operator.today, 1) if early else this_month


def account_from_msisdn(msisdn: str) -> str:
    """Return the account number: the digits of the line's number."""
    return msisdn.removeprefix("+")


def bill_amounts(person: Mapping[str, Any]) -> list[Any]:
    """Return the totals of a person's bills, newest first."""
    repeat = person.get("repeat")
    return [repeat["amount"]] * repeat["months"] if repeat else list(person["amounts"])


def build_bill_rows(operator: DemoOperator, person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Build the rows of a person's bills, newest first; all but the newest are paid."""
    state = person.get("first_state", "paid")
    start = newest_bill_date(operator, state)
    months = [(months_before(start, index), amount) for index, amount in enumerate(bill_amounts(person))]
    bills = [
        _build_bill_row(operator, person, issued, operator.round_amount(amount)) for issued, amount in months
    ]
    if bills and state != "paid":
        bills[0]["remaining"] = bills[0]["total"] - operator.round_amount(person.get("paid", 0))
    if bills and state in ("due", "partial"):
        bills[0]["due"] = max(bills[0]["due"], operator.today + MIN_TIME_TO_PAY)
    return bills


def _build_bill_row(
    operator: DemoOperator, person: Mapping[str, Any], issued: date, total: Decimal
) -> dict[str, Any]:
    number = f"{operator.bill_prefix}-{issued:%Y%m}-{person['msisdn'][-4:]}"
    return {
        "operator": operator.name,
        "id": number,
        "number": number,
        "account": account_from_msisdn(person["msisdn"]),
        "issued": issued,
        "due": issued + operator.due_after,
        "total": total,
        "tax": operator.round_amount(total * operator.tax_percent / (100 + operator.tax_percent)),
        "remaining": operator.round_amount(0),
    }


def split_by_rubric(
    operator: DemoOperator, person: Mapping[str, Any], total: Decimal, *, is_newest: bool
) -> dict[str, Decimal]:
    """Split a bill's total by rubric: as listed for the newest, else four fifths subscription."""
    if is_newest and "lines" in person:
        return {rubric: operator.round_amount(amount) for rubric, amount in person["lines"].items() if amount}
    parts: dict[str, Decimal] = {}
    if is_newest and "prorata" in person:
        parts["prorata"] = operator.round_amount(person["prorata"]["amount"])
        parts["one_off"] = operator.round_amount(person["one_off"])
        return {"subscriptions": total - sum(parts.values()), **parts}
    parts["subscriptions"] = operator.round_amount(total * 4 / 5)
    return {**parts, "communications": total - parts["subscriptions"]}


def build_line_rows(
    operator: DemoOperator, person: Mapping[str, Any], bills: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Build the detail rows of all these bills, newest bill first."""
    return [
        line
        for index, row in enumerate(bills)
        for line in _bill_line_rows(operator, person, row, is_newest=index == 0)
    ]


def _bill_line_rows(
    operator: DemoOperator, person: Mapping[str, Any], bill: Mapping[str, Any], *, is_newest: bool
) -> Iterator[dict[str, Any]]:
    """Yield one bill's detail rows: an equal share per user of the account, split by rubric."""
    users = extras.account_users(person)
    shares = extras.split_evenly(bill["total"], len(users), operator.unit)
    for (centre, user), share in zip(users, shares, strict=True):
        line = {"operator": operator.name, "bill": bill["id"], "label": "", "centre": centre, "user": user}
        for rubric, amount in split_by_rubric(operator, person, share, is_newest=is_newest).items():
            yield {**line, "rubric": rubric, "amount": amount, **extras.prorata_columns(person, rubric)}


def build_subscriber_row(operator: DemoOperator, person: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Build the row of a person as a subscriber of the operator at `now`."""
    account = account_from_msisdn(person["msisdn"])
    is_newcomer = person.get("subscribed") == "this_month"
    return {
        "id": f"{operator.name}-{account}",
        "operator": operator.name,
        "msisdn": person["msisdn"],
        "account": account,
        "name": person["name"],
        "kind": person["kind"],
        "segment": person["segment"],
        "language": person["language"],
        "since": months_before(operator.today, 0) if is_newcomer else CUSTOMER_SINCE,
        "email": person.get("email", ""),
        "email_validated": person.get("email_validated", False),
        "address": "",
        "media": person["delivery"],
        "siret": person.get("siret", ""),
        "sim_changed_at": _sim_changed_at(person, now),
    }


def _sim_changed_at(person: Mapping[str, Any], now: datetime) -> datetime | None:
    hours = person.get("sim_changed_hours")
    return None if hours is None else now - timedelta(hours=hours)


def _write_person(
    connection: Connection, operator: DemoOperator, person: Mapping[str, Any], now: datetime
) -> None:
    """Write one person; their own choices since the last seeding stay, their bills follow the calendar."""
    row = build_subscriber_row(operator, person, now)
    bills = build_bill_rows(operator, person)
    connection.execute(statements.INSERT_SUBSCRIBER, row)
    dates = {"whose": row["id"], "from_day": row["since"], "changed": row["sim_changed_at"]}
    connection.execute(statements.UPDATE_SUBSCRIBER, dates)
    demo_purchases.write_purchases(connection, row, person, now)
    usage = extras.build_entry_rows(operator.name, row["account"], person, operator.today, operator.unit)
    printed = bills if extras.has_documents(person) else []
    documents = [extras.build_document_row(operator.name, bill["id"]) for bill in printed]
    lines = build_line_rows(operator, person, bills)
    statements.insert_account_rows(
        connection, operator.name, statements.AccountRows(bills, lines, documents, list(usage))
    )
    activity.write_activity(connection, operator.name, row["account"], bills, person, operator.today)


@dataclass(frozen=True, slots=True)
class OperatorRows:
    """One operator of the demo world as rows of the billing tables."""

    operator: DemoOperator
    zone: ZoneInfo
    currency: str
    people: list[dict[str, Any]] = field(default_factory=list, repr=False)
    bills: list[dict[str, Any]] = field(default_factory=list, repr=False)
    lines: list[dict[str, Any]] = field(default_factory=list, repr=False)
    entries: list[dict[str, Any]] = field(default_factory=list, repr=False)
    documents: list[dict[str, Any]] = field(default_factory=list, repr=False)
    payments: list[dict[str, Any]] = field(default_factory=list, repr=False)
    allowances: list[dict[str, Any]] = field(default_factory=list, repr=False)
    services: list[dict[str, Any]] = field(default_factory=list, repr=False)
    debits: list[dict[str, Any]] = field(default_factory=list, repr=False)


def build_operator_rows(operator: str, now: datetime, world: Mapping[str, Any] | None = None) -> OperatorRows:
    """Build an operator's rows as of `now` (aware), from the demo world or another definition."""
    definition = (load_demo_world() if world is None else world)[operator]
    result = OperatorRows(
        _build_operator(operator, definition, now), ZoneInfo(definition["time_zone"]), definition["currency"]
    )
    for person in definition["subscribers"]:
        bills = build_bill_rows(result.operator, person)
        result.people.append(build_subscriber_row(result.operator, person, now))
        result.bills.extend(bills)
        result.lines.extend(build_line_rows(result.operator, person, bills))
        account, today = account_from_msisdn(person["msisdn"]), result.operator.today
        result.entries.extend(extras.build_entry_rows(operator, account, person, today, result.operator.unit))
        printed = bills if extras.has_documents(person) else []
        result.documents.extend(extras.build_document_row(operator, bill["id"]) for bill in printed)
        result.payments.extend(activity.build_payment_rows(bills, person, today))
        result.allowances.extend(activity.build_allowance_rows(operator, account, person, today))
        result.services.extend(activity.build_service_rows(operator, account, person))
        result.debits.extend(activity.build_debit_rows(operator, account, bills, person))
    return result


@cache
def load_demo_world() -> dict[str, Any]:
    """Load `world.yaml`, cached: definitions by operator."""
    world: dict[str, Any] = yaml.load(WORLD_FILE.read_text(encoding="utf-8"), YAML_LOADER)  # noqa: S506 - safe, both
    return world


async def seed_demo_world(
    database: Database, passwords: SqlPasswords, now: datetime, world: Mapping[str, Any] | None = None
) -> None:
    """Write the demo world as of `now` (aware) to a database that the demo created. Idempotent.

    Secrets are set only where there are none, so one changed in the demo stays changed. Raises
    ForeignDatabaseError for any other database, before anything is written to it.
    """
    world = load_demo_world() if world is None else world
    people = [
        (_build_operator(name, definition, now), person)
        for name, definition in world.items()
        for person in definition["subscribers"]
    ]

    def job(connection: Connection) -> None:
        require_marker(connection)
        for name in world:
            statements.delete_seeded_rows(connection, name)
        for operator, person in people:
            _write_person(connection, operator, person, now)

    await database.write(job, seconds=60)
    for operator, person in people:
        await _store_secrets(passwords, operator.name, person, now)


async def _store_secrets(
    passwords: SqlPasswords, operator: str, person: Mapping[str, Any], now: datetime
) -> None:
    for kind in SECRET_KINDS:
        if kind in person and not await passwords.has_secret(operator, person["msisdn"], kind):
            await passwords.set_password(operator, person["msisdn"], Secret(str(person[kind])), kind, now)


def demo_people(definition: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the people of an operator: number, name, language, and what they know."""
    people = []
    for person in definition["subscribers"]:
        secrets = (f"{kind.replace('_', ' ')} {person[kind]}" for kind in SECRET_KINDS if kind in person)
        role = {"number": person["msisdn"], "name": person["name"], "language": person["language"]}
        people.append({**role, "knows": ", ".join([person["kind"], person["segment"], *secrets])})
    return people
