"""Run the outbox's tests with leases in either form: as before `dialtree db finish`, and after it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete

from storage.sql.engine import Database, connect
from storage.sql.features import OUTBOX_LEASES, database_features

POISON_TEST = "test_delivery_goes_on_behind_150000_rows_that_must_not_go_out"
"""Takes too long to be run in both forms; its rows are never leased."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the form of leases, where a test has a database."""
    if "lease_form" in metafunc.fixturenames:
        forms = ["own_column"] if metafunc.function.__name__ == POISON_TEST else ["due_at", "own_column"]
        metafunc.parametrize("lease_form", forms)


async def turn_leases_off(database: Database) -> None:
    """Leave the database as an upgrade does, before `dialtree db finish`."""
    statement = delete(database_features).where(database_features.c.name == OUTBOX_LEASES)
    await database.write(lambda connection: connection.execute(statement))


@pytest.fixture
async def database(database_url: str, lease_form: str) -> AsyncIterator[Database]:
    """Provide a migrated database, open, with leases of this form."""
    opened = connect(database_url)
    if lease_form == "due_at":
        await turn_leases_off(opened)
    yield opened
    await opened.close()
