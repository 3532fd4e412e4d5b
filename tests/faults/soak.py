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
from tests.faults.family import Gateway, nursery
from tests.faults.history import Verdict
from tests.faults.stage import Stage, staged
from tests.services import Postgres, Server, eventually, serving

WORKERS = 3
LIVES = (0.1, 0.35)
"""Seconds between two kills (random); a worker delivers a quarter of a second after its start."""
PATIENCE_SECONDS = 30.0
"""How long a commit is retried while the database is out, in seconds."""
PROMISES_EACH = 3
"""Messages committed between two kills."""


@dataclass
class Soak:
    """A run of the given number of kills; the same seed kills at the same intervals."""

    stage: Stage
    kills: int
    seed: int
    server: Postgres | None = None
    """PostgreSQL server that is killed like a worker and restarted, when given."""
    chance: random.Random = field(init=False)
    workers: list[Gateway] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    async def run(self) -> Verdict:
        """Kill the given number of times, let the last workers finish, and return the history check."""
        self.workers = [self.stage.worker() for _ in range(WORKERS)]
        for number in range(self.kills):
            until = time.monotonic() + self.chance.uniform(*LIVES)
            await self._promised(number, until)
            await self._killed()
        return await self.stage.quiet(60)

    async def _promised(self, number: int, until: float) -> None:
        """Commit messages spread over the time to the next kill."""
        for part in range(PROMISES_EACH):
            await eventually(partial(self._acknowledged, f"p{number}.{part}"), PATIENCE_SECONDS)
            pause = (until - time.monotonic()) / (PROMISES_EACH - part)
            await asyncio.sleep(max(0.0, pause))

    async def _acknowledged(self, key: str) -> bool:
        """Try to commit and return whether it was acknowledged; repeating the same change is harmless."""
        try:
            await self.stage.promise(key)
        except Failure:
            return False
        return True

    async def _killed(self) -> None:
        victim = self.chance.randrange(len(self.workers) + bool(self.server))
        if victim == len(self.workers):
            await asyncio.to_thread(reborn, self.server)
            return
        self.workers[victim].kill()
        self.stage.own.remove(self.workers[victim])
        self.workers[victim] = self.stage.worker()


def reborn(server: Server | None) -> None:
    """Kill the server with SIGKILL and start it again."""
    assert server
    server.kill()
    server.start()


async def soaked(url: str, args: argparse.Namespace, server: Postgres | None) -> Verdict:
    """Run a soak on an empty database, with a launcher of its own."""
    with nursery() as launcher:
        async with staged(launcher, url, capable=not args.incapable) as harness:
            return await Soak(harness, args.kills, args.seed, server).run()


def main() -> int:
    """Print kills, accepted, lost, duplicated, unknown and the seed; return 1 if any was lost or duplicated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--incapable", action="store_true", help="a provider that does not know repeats")
    parser.add_argument("--stores", action="store_true", help="kill PostgreSQL, too")
    args = parser.parse_args()
    with serving(Postgres) as server:
        began = time.monotonic()
        verdict = asyncio.run(soaked(server.create("soak"), args, server if args.stores else None))
        took = time.monotonic() - began
    print(
        f"kills {args.kills}  accepted {verdict.accepted}  lost {len(verdict.lost)}  "
        f"duplicated {len(verdict.duplicated)}  unknown {verdict.unknown}  "
        f"seed {args.seed}  ({took:.0f} s)"
    )
    return int(bool(verdict.lost or (verdict.duplicated and not args.incapable)))


if __name__ == "__main__":
    sys.exit(main())
