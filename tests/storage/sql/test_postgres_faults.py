"""PostgreSQL that was demoted, stands still, hides behind a pooler or changes under a running process."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, text

from flows.domain.failures import Down, Slow, Unavailable
from storage.sql.alembic_upgrade import alembic_config
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from storage.sql.readiness import check_writable
from tests.support.free_ports import free_port
from tests.support.installed_programs import find_or_skip
from tests.support.server_processes import (
    PostgresServer,
    ServerProcess,
    find_program,
    run_server,
)

pytestmark = pytest.mark.postgres


def insert_opt_out(connection: Connection) -> int:
    statement = "INSERT INTO opt_outs VALUES ('o', gen_random_uuid()::text, now())"
    return int(connection.execute(text(statement)).rowcount)


def count_opt_outs(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM opt_outs")).scalar_one())


async def make_sessions_read_only(database: Database, connections: int = 10) -> None:
    """Make the pooled sessions refuse writes, as those to a demoted server do."""

    def job(connection: Connection) -> None:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.execute(text("SELECT pg_sleep(0.05)"))

    await asyncio.gather(*(database.read(job) for _ in range(connections)))


@pytest.fixture
async def own_database(postgres_database: str) -> AsyncIterator[Database]:
    database = connect(postgres_database)
    yield database
    await database.close()


async def test_sessions_on_a_demoted_server_are_replaced(own_database: Database) -> None:
    await make_sessions_read_only(own_database)
    assert [await own_database.write(insert_opt_out) for _ in range(3)] == [1, 1, 1]


async def test_a_read_only_server_is_down_and_not_ready_until_it_is_writable(
    postgres_database: str, own_database: Database
) -> None:
    name = postgres_database.rpartition("/")[2]
    admin = await asyncpg.connect(postgres_database)
    await check_writable(own_database, 5)
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await make_sessions_read_only(own_database)
    with pytest.raises(Down):
        await check_writable(own_database, 5)
    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await check_writable(own_database, 5)
    await admin.close()


@pytest.mark.parametrize(
    ("select", "change"),
    [
        ("SELECT number FROM opt_outs", "ALTER TABLE opt_outs ALTER COLUMN number TYPE varchar(400)"),
        ("SELECT * FROM opt_outs", "ALTER TABLE opt_outs ADD COLUMN remark varchar(9)"),
    ],
)
async def test_a_table_changed_under_prepared_statements_is_read_at_once(
    postgres_database: str, own_database: Database, select: str, change: str
) -> None:
    def job(connection: Connection) -> int:
        return len(connection.execute(text(select)).all())

    admin = await asyncpg.connect(postgres_database)
    for run in (own_database.read, own_database.write):
        await run(job)
        await admin.execute(change if run == own_database.read else change.replace("4", "5").replace("rk", "k"))
        assert await run(job) == 0
    await admin.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with run_server(PostgresServer) as server:
        yield server


@asynccontextmanager
async def frozen(server: PostgresServer) -> AsyncIterator[None]:
    """Stop the server and all its backends, as a stalled disk does."""
    assert server.child is not None
    parent = str(server.child.pid)
    found = await asyncio.to_thread(subprocess.run, ["pgrep", "-P", parent], capture_output=True, text=True)
    pids = [parent, *found.stdout.split()]
    await asyncio.to_thread(subprocess.run, ["kill", "-STOP", *pids], check=False)
    try:
        yield
    finally:
        await asyncio.to_thread(subprocess.run, ["kill", "-CONT", *pids], check=False, capture_output=True)


async def test_a_caller_and_the_end_never_wait_for_a_server_that_stands_still(
    own_server: PostgresServer,
) -> None:
    database = connect(own_server.url)
    await upgrade_database(database)
    await asyncio.gather(*(database.read(count_opt_outs) for _ in range(5)))
    async with frozen(own_server):
        began = time.monotonic()
        with pytest.raises(Slow):
            await database.read(count_opt_outs, seconds=0.3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await database.read(count_opt_outs)
        answered = time.monotonic() - began
        await database.close()
        closed = time.monotonic() - began
    assert answered < 2 and closed < 8


async def open_transaction(url: str, *tables: str) -> asyncpg.Connection:
    """Read tables in a transaction that stays open, as a dump does."""
    dump = await asyncpg.connect(url)
    await dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    for table in tables:
        await dump.execute(f"SELECT count(*) FROM {table}")
    return dump


async def test_a_migration_behind_a_dump_lets_traffic_pass_and_ends_with_it(
    own_server: PostgresServer,
) -> None:
    database = connect(own_server.url)
    await database.write(lambda c: command.upgrade(alembic_config(c), "0005"), seconds=60)
    dump = await open_transaction(own_server.url, "outbox", "billing_subscribers", "audit")
    upgrade = asyncio.create_task(upgrade_database(database, retry_seconds=0.2))
    other = connect(own_server.url)
    read = text("SELECT count(*) FROM billing_subscribers")
    for _ in range(4):
        assert await other.read(lambda c: c.execute(read).scalar()) == 0
    assert not upgrade.done()
    await dump.execute("ROLLBACK")
    await upgrade
    assert await database.write(insert_opt_out) == 1
    for each in (dump, database, other):
        await each.close()


class PgBouncer(ServerProcess):
    """PgBouncer in transaction mode in front of a PostgreSQL; options are lines of its settings."""

    user = "postgres"
    stop_signal = PostgresServer.stop_signal

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self.options[1]}"

    def command_line(self) -> list[str]:
        port, name, *lines = self.options
        settings = [
            *("[databases]", f"{name} = host=127.0.0.1 port={port} dbname={name} user=postgres"),
            *("[pgbouncer]", "listen_addr=127.0.0.1", f"listen_port={self.port}", "auth_type=any"),
            *("pool_mode=transaction", "default_pool_size=3", "unix_socket_dir=", *lines),
        ]
        self.folder.chmod(0o755)
        (self.folder / "pgbouncer.ini").write_text("\n".join(settings))
        return [find_program("pgbouncer"), str(self.folder / "pgbouncer.ini")]

    def is_ready(self, pid: int) -> bool:
        return "process up" in (self.folder / "server.log").read_text()


@pytest.fixture(
    params=[
        (),
        ("ignore_startup_parameters=statement_timeout,lock_timeout,idle_in_transaction_session_timeout",),
    ],
    ids=["refuses parameters", "ignores parameters"],
)
def pooled_url(request: pytest.FixtureRequest, postgres_database: str) -> Iterator[str]:
    find_or_skip("pgbouncer")
    server = request.getfixturevalue("postgres_server")
    name = postgres_database.rpartition("/")[2]
    with run_server(PgBouncer, str(server.port), name, *request.param) as bouncer:
        yield bouncer.url


async def test_a_pooler_in_transaction_mode_serves_every_job(pooled_url: str) -> None:
    database = connect(pooled_url)
    await upgrade_database(database)

    def select(connection: Connection, number: int) -> int:
        return int(connection.execute(text(f"SELECT {number % 7} + :one"), {"one": 1}).scalar_one())

    for _ in range(5):
        jobs = [database.read(lambda c, n=n: select(c, n)) for n in range(6)]  # type: ignore[misc]
        writes = [database.write(insert_opt_out) for _ in range(6)]
        assert await asyncio.gather(*jobs, *writes) == [1, 2, 3, 4, 5, 6, *[1] * 6]
    await database.listen()
    await database.close()


async def test_behind_a_pooler_the_server_still_ends_long_statements(pooled_url: str) -> None:
    database = connect(pooled_url)
    timeout = "SELECT current_setting('statement_timeout')"
    assert await database.read(lambda c: c.execute(text(timeout)).scalar()) == "5s"
    await database.close()


async def test_a_pooler_that_is_away_at_first_is_found_out_later() -> None:
    database = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await database.read(count_opt_outs)
    await database.close()
