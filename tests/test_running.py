"""Processes: settings that stop the start, several processes on one port, `dialtree outbox`."""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from flows.domain.records import Settlement
from gateway.cli import outbox as outbox_cli
from storage.ledger.store import SqlLedger
from storage.outbox.store import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade
from tests.ports import free_port
from tests.services import Redis, eventually, until
from tests.sql import NOW, SECRET
from tests.test_outbox import enqueue, notice

CONFIG = """
public_url = "https://gw.example.net"
secret_key = "a key for the tests and nothing else"
red_seconds = 0
[operators.orange-ro.routes]
{routes}
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "k"
hook_token = "demo"
"""


async def started(
    folder: Path, *command: str, routes: str = 'sms = "africastalking"', **environ: str
) -> asyncio.subprocess.Process:
    """Start a `dialtree` command with a settings file of its own."""
    (folder / "dialtree.toml").write_text(CONFIG.format(routes=routes))
    told = {**os.environ, "DIALTREE_CONFIG": str(folder / "dialtree.toml"), **environ}
    told.setdefault("DATABASE_URL", f"sqlite:///{folder / 'own.db'}")
    start = [sys.executable, "-m", "gateway", *command]
    return await asyncio.create_subprocess_exec(*start, env=told, stderr=asyncio.subprocess.PIPE)


async def said(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Wait for the end; return the exit status and the last lines of output."""
    _, errors = await asyncio.wait_for(child.communicate(), 30)
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
    status, errors = await said(await started(tmp_path, *command, routes=routes))
    assert status == 2 and errors.startswith(f"{field}: ")


async def test_a_worker_told_to_go_ends_well(tmp_path: Path) -> None:
    worker = await started(tmp_path, "worker")
    database = connect(f"sqlite:///{tmp_path / 'own.db'}")
    await upgrade(database)
    await enqueue(SqlLedger(database, SECRET), notice())

    async def taken() -> bool:
        return not await SqlOutbox(database, SECRET).list_rows("pending", 1)

    await eventually(taken, 30)
    await database.close()
    worker.send_signal(signal.SIGTERM)
    assert (await said(worker))[0] == 0


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


@pytest.mark.alone
@pytest.mark.redis
@pytest.mark.postgres
async def test_two_processes_share_a_port_and_a_killed_one_comes_back(
    tmp_path: Path, session: ClientSession, postgres_database: str, redis_server: Redis
) -> None:
    port = free_port()
    places = {"DATABASE_URL": postgres_database, "REDIS_URL": redis_server.url, "PORT": str(port)}
    internal = free_port(1)
    group = await started(tmp_path, "serve", "--workers", "2", DIALTREE_INTERNAL_PORT=str(internal), **places)

    async def ready() -> bool:
        return all([await green(session, internal + number) for number in range(2)])

    try:
        await eventually(ready, 120)
        members = children(group.pid)
        os.kill(members[0], signal.SIGKILL)
        await asyncio.to_thread(
            until, lambda: len(set(children(group.pid)) - {members[0]}) == 2, 20, "a new one"
        )
        await eventually(ready, 120)
        group.send_signal(signal.SIGTERM)
        assert (await said(group))[0] == 0
    finally:
        if group.returncode is None:
            group.kill()


async def green(session: ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except ClientError:
        return False


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_the_outbox_command_looks_replays_and_purges(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox, ledger = SqlOutbox(database, SECRET), SqlLedger(database, SECRET)
    await enqueue(ledger, notice())
    (parcel,) = await outbox.claim(1, NOW)
    await outbox.settle(parcel, Settlement("dead", reason="Rejected"), NOW)
    for line in ("list", f"show {parcel.id}", f"replay {parcel.id}", f"replay {parcel.id}", "purge --days 30"):
        await told(outbox, line)
    printed = capsys.readouterr().out
    assert "...0101" in printed and "1 will be sent again" in printed and "0 rows deleted" in printed
    assert not re.search(r"740000101|482913", printed)


async def told(outbox: SqlOutbox, line: str) -> int:
    parser = argparse.ArgumentParser()
    outbox_cli.add_arguments(parser)
    return await outbox_cli.run(outbox, parser.parse_args(line.split()), NOW)
