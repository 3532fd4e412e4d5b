"""The soak: workers killed at random instants while promises come in; then the history is checked.

Run: python -m tests.faults.soak --kills 1000 [--seed 1] [--incapable]
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass, field

from tests.faults.family import Gateway, nursery
from tests.faults.history import Verdict
from tests.faults.stage import Stage, staged
from tests.services import Postgres, serving

WORKERS = 3
LIVES = (0.1, 0.35)
"""Seconds between two kills, at random; a worker is at work a quarter of a second after its start."""
PROMISES_EACH = 3
"""Promises made between two kills."""


@dataclass
class Soak:
    """A run of so many kills; the same seed kills at the same distances."""

    stage: Stage
    kills: int
    seed: int
    chance: random.Random = field(init=False)
    workers: list[Gateway] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    async def run(self) -> Verdict:
        """Kill so often, then let the last workers finish; the verdict."""
        self.workers = [self.stage.worker() for _ in range(WORKERS)]
        for number in range(self.kills):
            until = time.monotonic() + self.chance.uniform(*LIVES)
            await self._promised(number, until)
            self._killed()
        return await self.stage.quiet(60)

    async def _promised(self, number: int, until: float) -> None:
        """Promises spread over the time to the next kill."""
        for part in range(PROMISES_EACH):
            await self.stage.promise(f"p{number}.{part}")
            pause = (until - time.monotonic()) / (PROMISES_EACH - part)
            await asyncio.sleep(max(0.0, pause))

    def _killed(self) -> None:
        victim = self.chance.randrange(len(self.workers))
        self.workers[victim].kill()
        self.stage.own.remove(self.workers[victim])
        self.workers[victim] = self.stage.worker()


async def soaked(url: str, kills: int, seed: int, *, capable: bool) -> Verdict:
    """A soak on an empty database, with a family of its own."""
    with nursery() as family:
        async with staged(family, url, capable=capable) as stage:
            return await Soak(stage, kills, seed).run()


def main() -> int:
    """Print kills, accepted, lost, duplicated, unknown and the seed; 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--incapable", action="store_true", help="a provider that does not know repeats")
    args = parser.parse_args()
    with serving(Postgres) as server:
        began = time.monotonic()
        verdict = asyncio.run(soaked(server.create("soak"), args.kills, args.seed, capable=not args.incapable))
        took = time.monotonic() - began
    print(
        f"kills {args.kills}  accepted {verdict.accepted}  lost {len(verdict.lost)}  "
        f"duplicated {len(verdict.duplicated)}  unknown {verdict.unknown}  seed {args.seed}  ({took:.0f} s)"
    )
    return int(bool(verdict.lost or (verdict.duplicated and not args.incapable)))


if __name__ == "__main__":
    sys.exit(main())
