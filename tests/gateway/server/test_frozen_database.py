"""SIGTERM while PostgreSQL stands still: each role ends within its drain time."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from tests.gateway.server.test_processes import start_dialtree, wait_for_output
from tests.storage.sql.test_postgres_faults import frozen
from tests.support.free_ports import free_port
from tests.support.server_processes import PostgresServer, poll_until, run_server

START_SECONDS = 90.0


@pytest.fixture
async def own_server() -> AsyncIterator[PostgresServer]:
    with run_server(PostgresServer) as server:
        yield server


@pytest.mark.postgres
@pytest.mark.parametrize(("role", "port_name"), [("serve", "INTERNAL"), ("worker", "WORKER")])
async def test_sigterm_ends_a_process_whose_database_stands_still(
    role: str, port_name: str, own_server: PostgresServer, tmp_path: Path
) -> None:
    port = free_port()
    environ = {"PORT": str(free_port()), f"DIALTREE_{port_name}_PORT": str(port)}
    process = await start_dialtree(tmp_path, role, DATABASE_URL=own_server.url, **environ)

    async def is_ready() -> bool:
        try:
            async with ClientSession() as session:
                return (await session.get(f"http://127.0.0.1:{port}/readyz")).status == 200
        except ClientError:
            return False

    await poll_until(is_ready, START_SECONDS)
    async with frozen(own_server):
        process.send_signal(signal.SIGTERM)
        status, errors = await wait_for_output(process)
    assert status == 0 and "Traceback" not in errors
