"""Soak test of one subscriber's wishes: on several channels at once, or while a store hangs.

Run: python -m tests.faults.wish_soak [--hung] --kills 100 [--seed 1]
"""

import argparse
import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import ClientSession
from sqlalchemy import func, select

from flows.domain.failures import Failure
from gateway.cli.progress import ReportProgress, show_progress
from storage.sql.tables import consents, outbox
from tests.support.faults.aggregator_phone import (
    AggregatorPhone,
    open_http_session,
    wait_until_listening,
)
from tests.support.faults.delivery_history import HistoryVerdict
from tests.support.faults.gateway_processes import GatewayLauncher, GatewayProcess, run_launcher
from tests.support.faults.harness import FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, RedisServer, ServerProcess, poll_until, run_server

WISHES = (("EFACTURA", ("", "1", "1*1", "1*1*3"), "1*1*3*1"), ("HARTIE", ("", "1", "1*1", "1*1*4"), "1*1*4*1"))
"""Text, keys to the question and key that answers it, of e-bills and of paper, in turn."""
HANG_SECONDS = (0.3, 2.5)
"""How long a store hangs (random), in seconds."""
PATIENCE_SECONDS = 60.0
NOTICES_PER_HANG = 3


@dataclass
class WishSoak:
    """A run of the given number of wishes at two gateways that share PostgreSQL and Redis."""

    harness: FaultHarness
    webs: list[GatewayProcess]
    stores: tuple[ServerProcess, ...]
    """Stores of which one hangs during each wish; none where wishes come on several channels at once."""
    wish_count: int
    seed: int
    repeated_count: int = 0
    """Wishes that were answered with an excuse, and asked for again."""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    async def run(self, on_progress: ReportProgress = lambda done, total: None) -> "WishVerdict":
        """Make the wishes one after another and compare what became of them with their number."""
        make = self._wish_while_hung if self.stores else self._wish_on_all_channels
        async with open_http_session() as client:
            for number in range(self.wish_count):
                await make(client, number)
                await poll_until(partial(self._is_made, number), PATIENCE_SECONDS)
                on_progress(number + 1, self.wish_count)
        history = await self.harness.wait_until_settled(PATIENCE_SECONDS)
        return WishVerdict(self.wish_count, *await self._count_effects(), self.repeated_count, history)

    async def _wish_on_all_channels(self, client: ClientSession, number: int) -> None:
        """Answer yes in two USSD sessions and text the wish twice, at one moment, to both gateways."""
        word, steps, yes = WISHES[number % 2]
        phones = [AggregatorPhone(client, session_id=f"w{number}.{index}") for index in range(2)]
        for phone, web in zip(phones, self.webs, strict=True):
            await phone.post_steps(web, texts=steps)
        at_once: list[Awaitable[Any]] = [
            phone.post_step(web, yes) for phone, web in zip(phones, self.webs, strict=True)
        ]
        at_once += [self._text(client, web, f"t{number}.{web.port}", word) for web in self.webs]
        await asyncio.gather(*at_once)

    async def _wish_while_hung(self, client: ClientSession, number: int) -> None:
        """Text the wish to both gateways and commit notices while a store hangs; go on until it is made."""
        word, _, _ = WISHES[number % 2]
        hang = asyncio.create_task(hang_store(self.dice.choice(self.stores), self.dice.uniform(*HANG_SECONDS)))
        promised = asyncio.create_task(self._commit_notices(number))
        for again in range(10):
            texts = (self._text(client, web, f"t{number}.{again}.{web.port}", word) for web in self.webs)
            await asyncio.gather(*texts, hang, promised)
            if await self._is_made_soon(number):
                return
            self.repeated_count += 1

    async def _text(self, client: ClientSession, web: GatewayProcess, message_id: str, word: str) -> None:
        """Text a word as an aggregator does: the same message again until it is taken."""
        phone = AggregatorPhone(client)

        async def is_taken() -> bool:
            return await phone.post_text(web, message_id, word) is not None

        await poll_until(is_taken, PATIENCE_SECONDS)

    async def _commit_notices(self, number: int) -> None:
        async def is_committed() -> bool:
            try:
                await self.harness.commit_notices(*(f"p{number}.{part}" for part in range(NOTICES_PER_HANG)))
            except Failure:
                return False
            return True

        await poll_until(is_committed, PATIENCE_SECONDS)

    async def _is_made_soon(self, number: int) -> bool:
        try:
            await poll_until(partial(self._is_made, number), 5.0)
        except TimeoutError:
            return False
        return True

    async def _is_made(self, number: int) -> bool:
        consent_count, confirmation_count = await self._count_effects()
        return consent_count > number and confirmation_count > number

    async def _count_effects(self) -> tuple[int, int]:
        """Return the consents recorded and the confirmations written, as the database has them."""
        notice = outbox.c.key.like("%.notice")
        counts = [select(func.count()).select_from(consents), select(func.count()).where(notice)]
        read = self.harness.database.read
        first, second = [await read(partial(_scalar, each), seconds=30) for each in counts]
        return first, second


def _scalar(statement: Any, connection: Any) -> int:
    return int(connection.execute(statement).scalar_one())


@dataclass(frozen=True)
class WishVerdict:
    """What became of the wishes: as many consents and confirmations, none twice."""

    wish_count: int
    consent_count: int
    confirmation_count: int
    repeated_count: int
    history: HistoryVerdict

    @property
    def is_once_each(self) -> bool:
        return self.history.is_exactly_once and self.wish_count == self.consent_count == self.confirmation_count

    def __str__(self) -> str:
        return (
            f"wishes {self.wish_count}  consents {self.consent_count}  "
            f"confirmations {self.confirmation_count}  asked again {self.repeated_count}  "
            f"lost {len(self.history.lost_keys)}  duplicated {len(self.history.duplicated_keys)}"
        )


async def hang_store(store: ServerProcess, seconds: float) -> None:
    """Stop a store (SIGSTOP) for so long."""
    store.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        store.resume()


@asynccontextmanager
async def open_soak(
    launcher: GatewayLauncher, server: PostgresServer, *, hung: bool, wishes: int, seed: int
) -> AsyncIterator[WishSoak]:
    """Open a soak on an empty database of the server, with a Redis and two gateways of its own."""
    with run_server(RedisServer) as redis:
        async with open_harness(launcher, server.create_database(f"wishes_{hung}".lower())) as harness:
            await harness.seed_demo_data()
            webs = [harness.start_process(role="both", redis_url=redis.url) for _ in range(2)]
            await wait_until_listening(*webs)
            yield WishSoak(harness, webs, (server, redis) if hung else (), wishes, seed)


async def run_soak(server: PostgresServer, args: argparse.Namespace) -> WishVerdict:
    """Run a soak with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_soak(launcher, server, hung=args.hung, wishes=args.kills, seed=args.seed) as soak:
            with show_progress("wish soak", "wishes") as report:
                return await soak.run(report)


def main() -> int:
    """Print wishes, consents, confirmations and the seed; return 1 if any is missing or there twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.wish_soak")
    parser.add_argument("--kills", type=int, default=100, help="how many wishes are made")
    parser.add_argument("--hung", action="store_true", help="PostgreSQL or Redis hangs during each")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = parser.parse_args()
    with run_server(PostgresServer) as server:
        found = asyncio.run(run_soak(server, args))
    print(f"{found}  seed {args.seed}")
    return int(not found.is_once_each)


if __name__ == "__main__":
    sys.exit(main())
