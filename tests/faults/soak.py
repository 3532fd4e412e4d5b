"""Soak test: workers are killed at random while messages are committed; then the history check.

Run: python -m tests.faults.soak --kills 1000 [--seed 1] [--incapable] [--stores]
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from functools import partial

from flows.domain.failures import Failure
from gateway.cli.progress import ReportProgress, show_progress
from tests.support.faults.delivery_history import HistoryVerdict
from tests.support.faults.gateway_processes import GatewayProcess, run_launcher
from tests.support.faults.harness import FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, ServerProcess, poll_until, run_server

WORKER_COUNT = 3
KILL_INTERVAL_SECONDS = (0.1, 0.35)
"""Seconds between two kills (random); a worker delivers a quarter of a second after its start."""
COMMIT_RETRY_SECONDS = 30.0
"""How long a commit is retried while the database is out, in seconds."""
NOTICES_PER_KILL = 3
"""Messages committed between two kills."""


@dataclass
class SoakRun:
    """A run of the given number of kills; the same seed kills at the same intervals."""

    harness: FaultHarness
    kill_count: int
    seed: int
    server: PostgresServer | None = None
    """PostgreSQL server that is killed like a worker and restarted, when given."""
    random_source: random.Random = field(init=False)
    workers: list[GatewayProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random_source = random.Random(self.seed)

    async def run(self, on_progress: ReportProgress = lambda done, total: None) -> HistoryVerdict:
        """Kill the given number of times, let the last workers finish, and return the history check."""
        self.workers = [self.harness.start_process() for _ in range(WORKER_COUNT)]
        for number in range(self.kill_count):
            until = time.monotonic() + self.random_source.uniform(*KILL_INTERVAL_SECONDS)
            await self._commit_notices(number, until)
            await self._kill_one()
            on_progress(number + 1, self.kill_count)
        return await self.harness.wait_until_settled(60)

    async def _commit_notices(self, number: int, until: float) -> None:
        """Commit messages spread over the time to the next kill."""
        for part in range(NOTICES_PER_KILL):
            await poll_until(partial(self._try_commit, f"p{number}.{part}"), COMMIT_RETRY_SECONDS)
            pause = (until - time.monotonic()) / (NOTICES_PER_KILL - part)
            await asyncio.sleep(max(0.0, pause))

    async def _try_commit(self, key: str) -> bool:
        """Try to commit and return whether it was acknowledged; repeating the same change is harmless."""
        try:
            await self.harness.commit_notices(key)
        except Failure:
            return False
        return True

    async def _kill_one(self) -> None:
        victim = self.random_source.randrange(len(self.workers) + bool(self.server))
        if victim == len(self.workers):
            await asyncio.to_thread(restart_server, self.server)
            return
        self.workers[victim].kill()
        self.harness.processes.remove(self.workers[victim])
        self.workers[victim] = self.harness.start_process()


def restart_server(server: ServerProcess | None) -> None:
    """Kill the server with SIGKILL and start it again."""
    assert server
    server.kill()
    server.start()


async def run_soak(url: str, args: argparse.Namespace, server: PostgresServer | None) -> HistoryVerdict:
    """Run a soak on an empty database, with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_harness(launcher, url, deduplicates=not args.incapable) as harness:
            with show_progress("soak", "kills") as report:
                return await SoakRun(harness, args.kills, args.seed, server).run(report)


def main() -> int:
    """Print kills, accepted, lost, duplicated, unknown and the seed; return 1 if any was lost or duplicated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--incapable", action="store_true", help="a provider that does not know repeats")
    parser.add_argument("--stores", action="store_true", help="kill PostgreSQL, too")
    args = parser.parse_args()
    with run_server(PostgresServer) as server:
        began = time.monotonic()
        verdict = asyncio.run(run_soak(server.create_database("soak"), args, server if args.stores else None))
        took = time.monotonic() - began
    print(
        f"kills {args.kills}  accepted {verdict.accepted_count}  lost {len(verdict.lost_keys)}  "
        f"duplicated {len(verdict.duplicated_keys)}  unknown {verdict.unknown_count}  "
        f"seed {args.seed}  ({took:.0f} s)"
    )
    return int(bool(verdict.lost_keys or (verdict.duplicated_keys and not args.incapable)))


if __name__ == "__main__":
    sys.exit(main())
