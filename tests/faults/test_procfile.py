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

from gateway.server.app import INTERNAL_ABOVE
from tests.faults.family import SECRET
from tests.faults.phone import GONE, MENU, YES, Phone, line, serves
from tests.faults.stage import Stage
from tests.ports import free_port
from tests.services import eventually
from tests.sql import rows_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]

ROOT = Path(__file__).parents[2]
NAMES = {"release.1", "web.1", "web.2", "worker.1", "worker.2"}
LISTEN = "0A"
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
auth_token = "fault-token"
sender = "+40700000477"
deduplicates = true
api_url = "PROVIDER"
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "k"
hook_token = "demo"
"""


@dataclass(frozen=True)
class Child:
    """A gateway process that honcho started."""

    pid: int
    port: int

    def listens(self) -> bool:
        """Return whether this very process listens on its port."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        sockets = {row[9] for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == LISTEN}
        try:
            own = {each.readlink().name for each in Path(f"/proc/{self.pid}/fd").iterdir()}
        except FileNotFoundError:  # it closed one meanwhile
            return False
        return any(f"socket:[{inode}]" in own for inode in sockets)


def proc(pid: int, name: str) -> str:
    """Return a file of the process in /proc; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode()
    except OSError:
        return ""


def below(pid: int) -> Iterator[int]:
    """Yield the ids of all descendants of a process."""
    for each in proc(pid, f"task/{pid}/children").split():
        yield int(each)
        yield from below(int(each))


def children(honcho: int) -> Mapping[str, Child]:
    """Return our processes by honcho's names for them."""
    found = {}
    for pid in below(honcho):
        environ = dict(each.split("=", 1) for each in proc(pid, "environ").split("\0") if "=" in each)
        if "HONCHO_PROCESS_NAME" in environ:
            found[environ["HONCHO_PROCESS_NAME"]] = Child(pid, int(environ["PORT"]))
    return found


@asynccontextmanager
async def honcho(folder: Path, harness: Stage, redis_url: str) -> AsyncIterator[Mapping[str, Child]]:
    """Run `honcho start` with two of each until all have started, for the duration of the block."""
    config = folder / "dialtree.toml"
    config.write_text(CONFIG.replace("PROVIDER", harness.fake.url))
    stores = {"DATABASE_URL": harness.url, "REDIS_URL": redis_url, "DIALTREE_CONFIG": str(config)}
    own = Path(sys.executable).parent
    started = await asyncio.create_subprocess_exec(
        own / "honcho",
        *("start", "-c", "web=2,worker=2", "-p", str(free_port(1, INTERNAL_ABOVE, INTERNAL_ABOVE + 1))),
        cwd=ROOT,
        env=os.environ | stores | {"PATH": f"{own}:{os.environ['PATH']}"},
        start_new_session=True,
    )

    async def all_there() -> bool:
        there = children(started.pid)
        return there.keys() == NAMES and there["web.1"].listens() and there["web.2"].listens()

    try:
        await eventually(all_there, 60)
        yield children(started.pid)
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        await asyncio.wait_for(started.wait(), 20)


async def test_a_conversation_over_honchos_processes_and_one_killed_in_a_step(
    harness: Stage, redis_url: str, tmp_path: Path
) -> None:
    await harness.seed()
    async with line() as session, honcho(tmp_path, harness, redis_url) as there:
        phone, webs = Phone(session, session_id="honcho"), (there["web.1"], there["web.2"])
        await phone.walk(*webs)
        assert len(set(phone.seen)) == len(MENU)
        pressing = asyncio.create_task(phone.step(webs[0], YES))
        await asyncio.sleep(0)
        os.kill(webs[0].pid, signal.SIGKILL)
        await asyncio.wait({pressing})
        assert pressing.exception() is None or isinstance(pressing.exception(), GONE)
    async with line() as session:
        later = harness.worker(role="both", redis_url=redis_url)
        await serves(later)
        again = await Phone(session, session_id="honcho").step(later, YES)
        assert again.startswith("END Gata!")
        await asyncio.wait_for(harness.fake.arrived.wait(), 20)
        later.signal(signal.SIGTERM)
        assert await harness.ended(later) == 0
    assert await rows_in(harness.database, "consents") == 1
    assert list(harness.fake.received.values()) == [1]
