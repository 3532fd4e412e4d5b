"""Data safety: commands of the demo leave a database alone that the demo did not create."""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from gateway.cli.main import run_command
from storage.demo import statements
from storage.demo.demo_marker import ForeignDatabaseError, claim_demo_database
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.storage.demo.test_world import seed_world
from tests.support.databases import NOW, count_rows

COMMANDS = (
    *("dial *100#", "dial 477", "dial --billing memory", "demo", "demo --billing memory"),
    *("outbox list --demo", "outbox purge --days 1 --demo", "notify orange-ro --demo", "audit verify --demo"),
    *("export +40740000101 --demo", "erase +40740000101 --yes --demo", "who +40740000101 --demo"),
)
PRODUCTION_COMMANDS = (
    *("db upgrade", "check", "draw orange-ro", "outbox list dead", "outbox list unknown", "audit verify"),
    *("export +40740000101", "notify orange-ro --cycle 2026-01", "notify orange-ro --listen"),
)
OWN_TABLES = frozenset({"audit", "key_checks"})
"""Tables every command may add a row of its own to."""
ANA = {"operator": "orange-ro", "account": "40740000101"}
SUBSCRIBER = {
    **ANA,
    **{"id": "line-1", "msisdn": "+40740000101", "name": "A. Customer", "kind": "mobile"},
    **{"segment": "consumer", "language": "ro", "since": date(2019, 5, 1), "media": "paper"},
}
BILL = {
    **ANA,
    **{"id": "REAL-1", "number": "REAL-1", "issued": date(2026, 3, 1), "due": date(2026, 3, 15)},
    **{"total": Decimal(50), "tax": Decimal(8), "remaining": Decimal(50)},
}


def dump_tables(connection: Connection) -> dict[str, str]:
    names = inspect(connection).get_table_names()
    return {name: repr(connection.execute(text(f'SELECT * FROM "{name}"')).all()) for name in names}


async def fill_like_production(url: str) -> None:
    """Write a subscriber and a bill with numbers that the demo uses, too."""
    database = connect(url)
    await database.write(
        lambda connection: (
            connection.execute(statements.INSERT_SUBSCRIBER, SUBSCRIBER),
            connection.execute(statements.INSERT_BILL, BILL),
        )
    )
    await database.close()


async def read_tables(url: str) -> dict[str, str]:
    database = connect(url)
    tables = await database.read(dump_tables)
    await database.close()
    return tables


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Restore the log handlers, which `demo` replaces."""
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def production_url(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a database in use, which the environment names."""
    asyncio.run(fill_like_production(database_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_in_use_is_refused_and_keeps_every_row(
    command: str, production_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asyncio.run(read_tables(production_url))
    assert run_command(command.split()) == 2
    assert "database_url: this database was not created by the demo" in capsys.readouterr().err
    assert asyncio.run(read_tables(production_url)) == before


# a socket that an earlier test of this process left to the garbage collector is closed here
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("command", PRODUCTION_COMMANDS)
def test_no_other_command_writes_a_row_of_the_demo(
    command: str, production_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dialtree.toml").write_text(
        f'public_url = "https://gw.test"\nsecret_key = "{secrets.token_hex(32)}"\n[operators.orange-ro]\n'
    )
    monkeypatch.setenv("DIALTREE_CONFIG", str(tmp_path / "dialtree.toml"))
    before = asyncio.run(read_tables(production_url))
    assert run_command(command.split()) == (2 if "--listen" in command else 0)
    after = asyncio.run(read_tables(production_url))
    assert {name: after[name] for name in before if name not in OWN_TABLES} == {
        name: before[name] for name in before if name not in OWN_TABLES
    }


def test_dial_puts_nobody_into_an_empty_database_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'given.db'}")
    assert run_command(["dial", "--script", str(write_dialog(tmp_path))]) in (0, 1)
    assert not (tmp_path / "given.db").exists()
    monkeypatch.setattr("sys.stdin", StringIO())
    assert run_command(["dial", "*100#"]) == 0
    tables = asyncio.run(read_tables(f"sqlite:///{tmp_path / 'given.db'}"))
    assert tables["billing_subscribers"] == tables["passwords"] == "[]"


def write_dialog(folder: Path) -> Path:
    path = folder / "short.dialog"
    path.write_text("operator orange-ro\nfrom +40740000101\ndial *100#\n")
    return path


async def test_seeding_checks_the_marker_itself(database: Database) -> None:
    with pytest.raises(ForeignDatabaseError):
        await seed_world(database, mark=False)
    assert await count_rows(database, "billing_subscribers") == 0


async def test_an_empty_database_is_claimed_once_and_for_good(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'new.db'}")
    await claim_demo_database(database)
    await upgrade_database(database)
    await claim_demo_database(database)
    await database.close()


async def test_a_view_alone_makes_a_database_somebody_s(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'views.db'}")
    await database.write(lambda connection: connection.execute(text("CREATE VIEW bills AS SELECT 1 AS id")))
    with pytest.raises(ForeignDatabaseError):
        await claim_demo_database(database)
    await database.close()


async def test_seeding_again_deletes_only_what_seeding_made(database: Database) -> None:
    await seed_world(database, "orange-ro")
    taken = {**BILL, "id": "ORO-202604-0101"}
    await database.write(lambda connection: connection.execute(statements.INSERT_BILL, [BILL, taken]))
    own = {**ANA, "what": "usage", "at": date(2026, 3, 2), "kind": "call", "quantity": 1, "amount": 0}
    await database.write(
        lambda connection: connection.execute(statements.INSERT_ENTRY, {**own, "label": "mine"})
    )
    await seed_world(database, "orange-ro", now=NOW.replace(month=4))
    tables = await database.read(dump_tables)
    assert "REAL-1" in tables["billing_bills"] and "'mine'" in tables["billing_entries"]
    assert (
        "ORO-202604-0102" in tables["billing_bills"] and tables["billing_bills"].count("ORO-202604-0101") == 1
    )
