"""Processes: settings that stop the start, several processes on one port, `dialtree outbox`."""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from flows.domain.records import DeliveryOutcome
from gateway.cli import outbox as outbox_cli
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.key_check import verify_secret_key
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.storage.outbox.test_store import build_notice, enqueue_items
from tests.support.databases import NOW, SECRET
from tests.support.free_ports import free_port
from tests.support.server_processes import RedisServer, poll_until, wait_until

CONFIG = """
public_url = "https://gw.example.net"
secret_key = "a secret for the tests, nowhere else"
red_seconds = 0
[operators.orange-ro.routes]
{routes}
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "atsk-4f1d0c9a7be25863"
hook_token = "p3Zk8vQm1xTfR7bYc0sLwA"
"""


async def start_dialtree(
    folder: Path, *command: str, routes: str = 'sms = "africastalking"', **environ: str
) -> asyncio.subprocess.Process:
    """Start a `dialtree` command with a settings file of its own."""
    (folder / "dialtree.toml").write_text(CONFIG.format(routes=routes))
    told = {**os.environ, "DIALTREE_CONFIG": str(folder / "dialtree.toml"), **environ}
    told.setdefault("DATABASE_URL", f"sqlite:///{folder / 'own.db'}")
    start = [sys.executable, "-m", "gateway", *command]
    return await asyncio.create_subprocess_exec(*start, env=told, stderr=asyncio.subprocess.PIPE)


async def wait_for_output(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Wait for the end; return the exit status and the last lines of output."""
    _, errors = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, errors.decode()


@pytest.mark.parametrize(
    ("command", "routes", "field"),
    [
        (("serve", "--workers", "2"), 'sms = "africastalking"', "redis_url"),
        (("worker",), 'sms = "twilio"', "operators.orange-ro.routes.sms"),
        (("worker",), 'email = "http://relay"', "operators.orange-ro.routes.email"),
        (("worker",), 'email = "smtp://relay:99999"', "operators.orange-ro.routes.email"),
    ],
)
async def test_settings_that_cannot_work_stop_the_start(
    tmp_path: Path, command: tuple[str, ...], routes: str, field: str
) -> None:
    status, errors = await wait_for_output(await start_dialtree(tmp_path, *command, routes=routes))
    assert status == 2 and errors.startswith(f"{field}: ")


async def test_a_worker_with_another_key_stops_at_start(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'own.db'}")
    await upgrade_database(database)
    await verify_secret_key(database, replace(SECRET, value="the key of the other processes"))
    await database.close()
    status, errors = await wait_for_output(await start_dialtree(tmp_path, "worker"))
    assert status == 2 and errors.startswith("secret_key: is not the key")


async def test_a_worker_told_to_go_ends_well(tmp_path: Path) -> None:
    worker = await start_dialtree(tmp_path, "worker")
    database = connect(f"sqlite:///{tmp_path / 'own.db'}")
    await upgrade_database(database)
    await enqueue_items(SqlLedger(database, SECRET), build_notice())

    async def taken() -> bool:
        return not await SqlOutbox(database, SECRET).list_rows("pending", 1)

    await poll_until(taken, 30)
    await database.close()
    worker.send_signal(signal.SIGTERM)
    assert (await wait_for_output(worker))[0] == 0


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


@pytest.mark.redis
@pytest.mark.postgres
async def test_two_processes_share_a_port_and_a_killed_one_comes_back(
    tmp_path: Path, session: ClientSession, postgres_database: str, redis_server: RedisServer
) -> None:
    port = free_port()
    places = {"DATABASE_URL": postgres_database, "REDIS_URL": redis_server.url, "PORT": str(port)}
    internal = free_port(1)
    group = await start_dialtree(
        tmp_path, "serve", "--workers", "2", DIALTREE_INTERNAL_PORT=str(internal), **places
    )

    async def ready() -> bool:
        return all([await is_healthy(session, internal + number) for number in range(2)])

    try:
        await poll_until(ready, 120)
        members = child_pids(group.pid)
        os.kill(members[0], signal.SIGKILL)
        await asyncio.to_thread(
            wait_until, lambda: len(set(child_pids(group.pid)) - {members[0]}) == 2, 60, "a new one"
        )
        await poll_until(ready, 120)
        group.send_signal(signal.SIGTERM)
        assert (await wait_for_output(group))[0] == 0
    finally:
        if group.returncode is None:
            group.kill()


async def is_healthy(session: ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except ClientError:
        return False


def child_pids(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_the_outbox_command_looks_replays_and_purges(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox, ledger = SqlOutbox(database, SECRET), SqlLedger(database, SECRET)
    await enqueue_items(ledger, build_notice())
    (parcel,) = await outbox.claim(1, NOW)
    await outbox.record_outcome(parcel, DeliveryOutcome("dead", reason="Rejected"), NOW)
    replay = {"what": "replay", "id": [parcel.id], "all": None}
    await run_outbox_command(outbox, what="list", state="dead", limit=50, **ANY_ROW)
    await run_outbox_command(outbox, what="show", id=parcel.id)
    for _ in range(2):
        await run_outbox_command(outbox, **replay)
    await run_outbox_command(outbox, what="purge", days=30)
    printed = capsys.readouterr().out
    assert "...0101" in printed and "1 will be sent again" in printed and "0 rows deleted" in printed
    assert not re.search(r"740000101|482913", printed)


async def test_rows_are_listed_by_operator_kind_and_age(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox, ledger = SqlOutbox(database, SECRET), SqlLedger(database, SECRET)
    await enqueue_items(ledger, build_notice())
    asked = {"what": "list", "state": "pending", "limit": 50}
    for chosen, count in (
        ({"operator": "orange-ro", "kind": "notice", "newer": 1}, 1),
        ({"operator": "nowhere"}, 0),
        ({"kind": "code"}, 0),
        ({"older": 0.5}, 0),
    ):
        assert await run_outbox_command(outbox, **asked, **{**ANY_ROW, **chosen}) == 0
        *rows, total = capsys.readouterr().out.splitlines()
        assert total == f"{count} pending" and len(rows) == count
        assert all(f"{NOW:%Y-%m-%d %H:%M}  orange-ro " in row for row in rows)


ANY_ROW = {"operator": None, "kind": None, "older": None, "newer": None}


async def run_outbox_command(outbox: SqlOutbox, **arguments: object) -> int:
    return await outbox_cli.run_action(outbox, argparse.Namespace(**arguments), NOW)
