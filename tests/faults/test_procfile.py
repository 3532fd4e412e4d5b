"""The Procfile under honcho, two processes of each: sessions cross processes and survive a kill."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.server.internal_listener import SERVER_OFFSET
from tests.support.databases import count_rows
from tests.support.faults.aggregator_phone import (
    CONNECTION_ERRORS,
    MENU_STEPS,
    YES_STEP,
    AggregatorPhone,
    open_http_session,
    wait_until_listening,
)
from tests.support.faults.gateway_processes import AUTH_TOKEN, HOOK_TOKEN, SECRET
from tests.support.faults.harness import FaultHarness
from tests.support.free_ports import free_port
from tests.support.server_processes import poll_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

ROOT = Path(__file__).parents[2]
PROCESS_NAMES = {"release.1", "web.1", "web.2", "worker.1", "worker.2", "link.1", "link.2"}
START_SECONDS, END_SECONDS = 120, 60
"""Far longer than seven processes take on a slow machine that runs other tests, too."""
LISTEN_STATE = "0A"
"""State of a listening socket in /proc/net/tcp."""
CONFIG = f"""
public_url = "https://gw.example.net"
secret_key = "{SECRET}"
red_seconds = 0
redis_seconds = 1.0
[operators.orange-ro]
routes = {{sms = "twilio"}}
[operators.orange-ro.twilio]
account_sid = "AC0"
auth_token = "{AUTH_TOKEN}"
sender = "+40700000477"
deduplicates = true
api_url = "PROVIDER"
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "atsk-4f1d0c9a7be25863"
hook_token = "{HOOK_TOKEN}"
"""


@dataclass(frozen=True)
class HonchoProcess:
    """A gateway process that honcho started."""

    pid: int
    port: int

    def is_listening(self) -> bool:
        """Return whether this very process listens on its port."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        sockets = {row[9] for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == LISTEN_STATE}
        try:
            own = {each.readlink().name for each in Path(f"/proc/{self.pid}/fd").iterdir()}
        except FileNotFoundError:  # it closed one meanwhile
            return False
        return any(f"socket:[{inode}]" in own for inode in sockets)


def read_proc(pid: int, name: str) -> str:
    """Return a file of the process in /proc; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode()
    except OSError:
        return ""


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of all descendants of a process."""
    for each in read_proc(pid, f"task/{pid}/children").split():
        yield int(each)
        yield from descendants(int(each))


def processes_by_name(honcho: int) -> Mapping[str, HonchoProcess]:
    """Return our processes by honcho's names for them."""
    found = {}
    for pid in descendants(honcho):
        environ = dict(each.split("=", 1) for each in read_proc(pid, "environ").split("\0") if "=" in each)
        if "HONCHO_PROCESS_NAME" in environ:
            found[environ["HONCHO_PROCESS_NAME"]] = HonchoProcess(pid, int(environ["PORT"]))
    return found


@asynccontextmanager
async def run_honcho(
    folder: Path, harness: FaultHarness, redis_url: str
) -> AsyncIterator[Mapping[str, HonchoProcess]]:
    """Run `honcho start` with two of each until all have started, for the duration of the block."""
    config = folder / "dialtree.toml"
    config.write_text(CONFIG.replace("PROVIDER", harness.provider.url))
    stores = {"DATABASE_URL": harness.database_url, "REDIS_URL": redis_url, "DIALTREE_CONFIG": str(config)}
    own = Path(sys.executable).parent
    started = await asyncio.create_subprocess_exec(
        own / "honcho",
        *(
            "start",
            "-c",
            "web=2,worker=2,link=2",
            "-p",
            str(free_port(1, SERVER_OFFSET, SERVER_OFFSET + 1)),
        ),
        cwd=ROOT,
        env=os.environ | stores | {"PATH": f"{own}:{os.environ['PATH']}"},
        start_new_session=True,
    )

    async def all_there() -> bool:
        there = processes_by_name(started.pid)
        return there.keys() == PROCESS_NAMES and there["web.1"].is_listening() and there["web.2"].is_listening()

    try:
        await poll_until(all_there, START_SECONDS)
        yield processes_by_name(started.pid)
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        await asyncio.wait_for(started.wait(), END_SECONDS)


async def test_a_conversation_over_honchos_processes_and_one_killed_in_a_step(
    harness: FaultHarness, redis_url: str, tmp_path: Path
) -> None:
    await harness.seed_demo_data()
    async with open_http_session() as session, run_honcho(tmp_path, harness, redis_url) as there:
        phone, webs = AggregatorPhone(session, session_id="honcho"), (there["web.1"], there["web.2"])
        await phone.post_steps(*webs)
        assert len(set(phone.screens)) == len(MENU_STEPS)
        pressing = asyncio.create_task(phone.post_step(webs[0], YES_STEP))
        await asyncio.sleep(0)
        os.kill(webs[0].pid, signal.SIGKILL)
        await asyncio.wait({pressing})
        assert pressing.exception() is None or isinstance(pressing.exception(), CONNECTION_ERRORS)
    async with open_http_session() as session:
        later = harness.start_process(role="both", redis_url=redis_url)
        await wait_until_listening(later)
        again = await AggregatorPhone(session, session_id="honcho").post_step(later, YES_STEP)
        assert again.startswith("END Gata!")
        await asyncio.wait_for(harness.provider.message_arrived.wait(), END_SECONDS)
        later.send_signal(signal.SIGTERM)
        assert await harness.wait_for_exit(later) == 0
    assert await count_rows(harness.database, "consents") == 1
    assert list(harness.provider.received_counts.values()) == [1]
