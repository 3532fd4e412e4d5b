"""Demo data of account activity: payments of bills, allowances used, services subscribed to."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert

from storage.sql.tables import (
    billing_allowances,
    billing_debits,
    billing_payments,
    billing_services,
)

DemoRow = dict[str, Any]
KEY_PREFIX = "demo-"
"""Beginning of the keys of payments that seeding makes; keys of payments made in the demo have 32 digits."""
DAYS_BEFORE_DUE = timedelta(days=4)
ALLOWANCE_SAMPLES: tuple[tuple[str, int, int | None], ...] = (
    ("call", 22, 100),
    ("data", 1550, 10240),
    ("text", 3, None),
)
"""Kind, used, granted (None for unlimited)."""
SERVICES_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "mobile": ("Mobile 5G 10 GB", "Voicemail Plus"),
    "fixed": ("Fix 24/7",),
    "internet": ("Fiber 200 Duo",),
    "data_key": ("Data 4G 25 GB",),
}


def build_payment_rows(
    bills: Sequence[Mapping[str, Any]], person: Mapping[str, Any], today: date
) -> Iterator[DemoRow]:
    """Yield a payment for what was paid of each bill, some days before it was due."""
    for bill in bills:
        paid = bill["total"] - bill["remaining"]
        if paid <= 0:
            continue
        day = max(min(bill["due"] - DAYS_BEFORE_DUE, today), bill["issued"])
        yield {
            "operator": bill["operator"],
            "key": f"{KEY_PREFIX}{bill['id']}",
            "account": bill["account"],
            "bill": bill["id"],
            "amount": paid,
            "provider": "direct_debit" if person["delivery"] == "email" else "transfer",
            "reference": "",
            "at": datetime.combine(day, time(9), UTC),
        }


def build_allowance_rows(
    operator: str, account: str, person: Mapping[str, Any], today: date
) -> Iterator[DemoRow]:
    """Yield what a mobile line has used this month; none for one who never had a bill."""
    if person["kind"] != "mobile" or not person.get("amounts", True):
        return
    next_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    for kind, used, granted in ALLOWANCE_SAMPLES:
        row = {"operator": operator, "account": account, "user": person["msisdn"], "kind": kind}
        yield {**row, "used": used, "granted": granted, "renews_on": next_month}


def build_service_rows(operator: str, account: str, person: Mapping[str, Any]) -> Iterator[DemoRow]:
    """Yield what a line subscribes to; nothing for one who never had a bill."""
    if not person.get("amounts", True):
        return
    for name in SERVICES_BY_KIND[person["kind"]]:
        row = {"operator": operator, "account": account, "user": person["msisdn"], "name": name}
        yield {**row, "since": date(2021, 3, 1), "until": None}


def build_debit_rows(
    operator: str, account: str, bills: Sequence[Mapping[str, Any]], person: Mapping[str, Any]
) -> Iterator[DemoRow]:
    """Yield the mandate of a person who has one (`debit`): it collects the newest bill when that is due."""
    if "debit" not in person:
        return
    row = {"operator": operator, "account": account, **person["debit"]}
    yield {**row, "collects_on": bills[0]["due"] if bills else None}


def write_activity(
    connection: Connection,
    operator: str,
    account: str,
    bills: Sequence[Mapping[str, Any]],
    person: Mapping[str, Any],
    today: date,
) -> None:
    """Replace an account's seeded payments, its allowances, services and mandate; other payments stay."""
    allowances = list(build_allowance_rows(operator, account, person, today))
    _replace_rows(
        connection, billing_allowances, _of_account(billing_allowances, operator, account), allowances
    )
    services = list(build_service_rows(operator, account, person))
    _replace_rows(connection, billing_services, _of_account(billing_services, operator, account), services)
    debits = list(build_debit_rows(operator, account, bills, person))
    _replace_rows(connection, billing_debits, _of_account(billing_debits, operator, account), debits)
    seeded = billing_payments.c.key.startswith(KEY_PREFIX)
    own = and_(_of_account(billing_payments, operator, account), seeded)
    _replace_rows(connection, billing_payments, own, list(build_payment_rows(bills, person, today)))


def _of_account(table: Table, operator: str, account: str) -> ColumnElement[bool]:
    return and_(table.c.operator == operator, table.c.account == account)


def _replace_rows(
    connection: Connection, table: Table, condition: ColumnElement[bool], rows: list[DemoRow]
) -> None:
    connection.execute(delete(table).where(condition))
    if rows:
        connection.execute(insert(table), rows)
