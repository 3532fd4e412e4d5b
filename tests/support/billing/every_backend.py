"""Fixture `backend`: every kind of billing backend in turn, filled with the same demo subscribers."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from storage.billing.sql import SqlBilling
from storage.demo.extras import build_document_row
from storage.sql.engine import connect
from tests.support.billing.backends import (
    LONG_TIMEOUTS,
    BackendUnderTest,
    build_book,
    fill_tables,
    open_backend,
)

TODAY = date(2026, 3, 10)
BILL_PREFIX = "ORO-202603"
"""Prefix of the numbers of March's bills."""
UNKNOWN_BILL = f"{BILL_PREFIX}-9999"
"""The last bill of an account whose line no longer exists: a bill run skips it and goes on."""
BACKEND_NAMES = ["memory", "sqlite", "mapped", "tmf678-v4", "tmf678-v5", "killbill"]
READ_ONLY = {"mapped"}
"""Backends of tables we do not own: writes are refused, and setting what is set already is no write."""
BACKENDS = [*map(pytest.param, BACKEND_NAMES), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    kept.rows.documents.append(build_document_row("orange-ro", f"{BILL_PREFIX}-0103"))
    kept.rows.bills.append(
        kept.rows.bills[0] | {"id": UNKNOWN_BILL, "number": UNKNOWN_BILL, "account": "40740009999"}
    )
    if request.param != "postgres":
        async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
            yield BackendUnderTest(request.param, billing, kept)
        return
    database = connect(str(request.getfixturevalue("postgres_database")))
    await fill_tables(database, kept)
    yield BackendUnderTest("postgres", SqlBilling(database, "orange-ro", lambda: TODAY), kept)
    await database.close()
