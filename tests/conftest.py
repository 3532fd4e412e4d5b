"""Fixtures and options for all tests: a clean environment, and real Redis, PostgreSQL and Chromium."""

import gc

gc.disable()  # imports and collection make what stays; the collector would visit it again and again

import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from tests.browser.phone_page import browser as browser
from tests.browser.phone_page import demo_site as demo_site
from tests.browser.phone_page import page as page
from tests.support.compiled_statements import share_compiled_statements
from tests.support.database_copies import DatabaseCopies
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.databases import migrate_database
from tests.support.databases import sqlite_migrated as sqlite_migrated
from tests.support.dialog_runs import dialog_runs as dialog_runs
from tests.support.dialog_runs import play_dialog as play_dialog
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.installed_programs import find_or_skip, run_installed
from tests.support.server_processes import PostgresServer, RedisServer

LEAKING_VARIABLES = ("DATABASE_URL", "REDIS_URL", "PORT", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
LEAKING_PREFIXES = ("DIALTREE_", "TWILIO_", "PG")


# No deadline per Hypothesis example: a shared machine is slow now and then.
settings.register_profile("dialtree", deadline=None)
settings.load_profile("dialtree")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites the expected screens of the dialogs."""
    parser.addoption("--rewrite", action="store_true", help="write down in tests/dialogs what is said now")


def pytest_configure() -> None:
    """Remove environment variables of the developer's shell that would influence a test; share compiled SQL."""
    for name in list(os.environ):
        if name.upper() in LEAKING_VARIABLES or name.startswith(LEAKING_PREFIXES):
            del os.environ[name]
    share_compiled_statements()


def pytest_collection_finish() -> None:
    """Let the garbage collector run again, on what the tests make, and not at every 700 objects more."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def coverage_lines(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """Return a line for each operator and channel with its dialog coverage."""
    done = [report for word in ("passed", "failed") for report in terminalreporter.stats.get(word, [])]
    return sorted(
        f"dialogs walk {value}" for report in done for name, value in report.user_properties if name == "walked"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print dialog coverage and, in red, the tests left out because a program is missing."""
    for line in coverage_lines(terminalreporter):
        terminalreporter.write_line(line)
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    for reason in sorted({each.removeprefix("Skipped: ") for each in reasons if "LEFT OUT" in each}):
        count = sum(reason in each for each in reasons)
        terminalreporter.write_line(f"{reason}: {count} tests", red=True, bold=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium; skip (in CI: fail) when it is not installed."""
    return find_or_skip("chromium")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Run one Redis for all tests; a test that harms its server starts its own."""
    with run_installed(RedisServer) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Return the URL of an emptied Redis: other tests play the same subscribers."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL for all tests; a test that harms its server starts its own."""
    with run_installed(PostgresServer) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the URL of the cluster's `postgres` database, for reading only."""
    return postgres_server.url


@pytest.fixture(scope="session")
def postgres_migrated(postgres_server: PostgresServer) -> str:
    """Return the name of a migrated, empty database that serves as a template."""
    migrate_database(postgres_server.create_database("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def database_copies(postgres_server: PostgresServer, postgres_migrated: str) -> Iterator[DatabaseCopies]:
    """Provide what copies the template."""
    copies = DatabaseCopies(postgres_server, postgres_migrated)
    yield copies
    copies.close()


@pytest.fixture
def postgres_database(database_copies: DatabaseCopies) -> Iterator[str]:
    """Provide the URL of a migrated database that belongs to this test alone."""
    with database_copies.copy() as url:
        yield url
