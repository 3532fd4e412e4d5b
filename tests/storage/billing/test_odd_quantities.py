"""Quantities as back ends write them: in bytes, beyond the limit, without one, in columns of any type."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from flows.domain.account_activity import AccountActivity, Allowance, account_activity
from flows.domain.ports import Billing
from storage.billing.backend import connect_backend
from storage.sql.engine import connect
from tests.storage.billing.test_imperfect_records import BUNDLE, serve_answers
from tests.support.billing.backends import backend_site

ANA = "+40740000101"
TODAY = date(2026, 3, 10)


def bucket(used: Any, left: Any, unit: str, kind: str = "data") -> dict[str, Any]:
    return {
        "usageType": kind,
        "product": {"publicIdentifier": ANA},
        "bucketCounter": [{"counterType": "used", "value": used, "unit": unit}],
        "bucketBalance": [{"remainingValue": left, "unit": unit}],
    }


async def tmf_meter(*buckets: dict[str, Any]) -> list[tuple[int, int | None]]:
    """Return what was used and granted, as a TMF677 report with these buckets tells it."""
    report = [{"bucket": list(buckets)}]
    async with serve_answers("tmf678", {"/usageConsumptionReport": report}, serves=["meter"]) as billing:
        found = await account_activity(billing).list_allowances("A1", ANA)
    return [(each.used, each.granted) for each in found]


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        (bucket(5_368_709_120, 5_368_709_120, "byte"), (5120, 10240)),
        (bucket(2, 1, "hours", "voice"), (120, 180)),
        (bucket(90, 30, "seconds", "voice"), (2, 2)),
        (bucket(1_100, -76, "MB"), (1100, 1024)),
        (bucket(1_100, -1, "MB"), (1100, None)),
        (bucket(0, -2, "MB"), (0, None)),
        (bucket(7, "unlimited", "MB"), (7, None)),
    ],
    ids=["ten gigabytes in bytes", "hours", "parts of a minute", "beyond", "-1", "less than none", "a word"],
)
async def test_R16_a_bucket_is_read_as_the_bss_writes_it(
    odd: dict[str, Any], shown: tuple[int, int | None]
) -> None:
    assert await tmf_meter(odd) == [shown]


async def test_R16_a_bucket_without_a_number_hides_no_other() -> None:
    assert await tmf_meter(bucket(None, 5, "MB"), bucket(-3, 5, "MB"), bucket(1, 5, "MB")) == [(1, 6)]


async def test_R16_units_named_after_their_size_are_counted_in_megabytes() -> None:
    units = [
        {"unitType": "gigabytes", "amount": 2},
        {"unitType": "roaming-bytes", "amount": 3_221_225_472},
        {"unitType": "minutes", "amount": 4},
    ]
    plan = {"startDate": "2020-01-01", "state": "ACTIVE", "subscriptionId": "s1"}
    running: dict[str, object] = {**BUNDLE, "subscriptions": [plan]}
    answers = {"/A1/bundles": [running], "/usages/s1": {"rolledUpUnits": units}}
    async with serve_answers("killbill", answers) as billing:
        found = await account_activity(billing).list_allowances("A1", ANA)
    assert [(each.kind, each.used) for each in found] == [("call", 4), ("data", 5120)]


TABLES = {
    "subscribers": ("id", "msisdn", "account", "since"),
    "bills": ("id", "account", "issued", "due", "total", "remaining"),
    "allowances": ("account", "user", "kind", "used", "granted"),
    "entries": ("account", "what", "at", "kind", "amount", "quantity", "user"),
}
ROWS: dict[str, list[tuple[object, ...]]] = {
    "subscribers": [(1.0, 40740000101.0, 73.0, "2020-01-01")],
    "allowances": [
        (73.0, 40740000101.0, "call", 12.5, "100.00"),
        (73.0, "0040740000101", "data", "2048.0 ", None),
        (73.0, "+40740000101", "text", None, 50),
        (73.0, "+40740000102", "text", 4, 50),
    ],
    "entries": [
        (73.0, "usage", f"2026-03-09T{hour:02}:00:00", "call", "0.1", quantity, 40740000101.0)
        for hour, quantity in ((8, 8.0), (11, 11.0), (9, None), (10, 10.0))
    ],
}


@pytest.fixture
async def loose_tables(tmp_path: Path) -> AsyncIterator[Billing]:
    """Provide tables whose columns have no types, filled as an import leaves them."""
    database = connect(f"sqlite:///{tmp_path}/loose.db")

    def fill(connection: Connection) -> None:
        for name, columns in TABLES.items():
            connection.exec_driver_sql(f"CREATE TABLE x_{name} ({', '.join(columns)})")
            for row in ROWS.get(name, []):
                connection.exec_driver_sql(f"INSERT INTO x_{name} VALUES ({', '.join('?' * len(row))})", row)

    await database.write(fill)
    mapped = {
        name: {"table": f"x_{name}", **{each: each for each in columns}} for name, columns in TABLES.items()
    }
    yield connect_backend("mapped", backend_site(database, lambda: TODAY, mapped))
    await database.close()


async def test_a_number_in_a_column_of_floats_is_that_number(loose_tables: Billing) -> None:
    found = await loose_tables.get_subscriber(ANA)
    assert (found.account, found.id, found.msisdn) == ("73", "1", ANA)
    assert (await loose_tables.get_account_holder("73")).msisdn == ANA  # type: ignore[attr-defined]


async def test_R16_allowances_are_read_from_columns_of_any_type(loose_tables: Billing) -> None:
    assert isinstance(loose_tables, AccountActivity)
    found = await loose_tables.list_allowances("73", ANA)
    assert list(found) == [Allowance("call", 13, 100), Allowance("data", 2048, is_unlimited=True)]


async def test_usage_of_one_day_comes_newest_first(loose_tables: Billing) -> None:
    found = await loose_tables.list_entries("73", "usage", 3)
    assert [(each.quantity, each.user) for each in found] == [(each, ANA[1:]) for each in (11, 10, 0)]
