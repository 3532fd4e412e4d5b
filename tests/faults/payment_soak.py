"""Soak test of payments: gateways are killed between any two steps; then the books of all sides are compared.

Run: python -m tests.faults.payment_soak --kills 1000 [--seed 1]
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.cli.progress import ReportProgress, show_progress
from gateway.demo.payfake import Payfake, payment_settings
from gateway.demo.payfake_server import serve_payfake
from storage.sql.engine import connect
from storage.sql.migrate import upgrade_database
from tests.support.databases import mark_as_demo
from tests.support.faults.gateway_processes import SECRET, GatewayLauncher, run_launcher
from tests.support.faults.payment_books import BooksVerdict, PaymentBooks
from tests.support.faults.payment_life import OPERATOR
from tests.support.free_ports import free_port
from tests.support.server_processes import PostgresServer, run_server

LANES = 2
"""Gateways at the same time: the one that lives on takes over what the other leaves behind."""
MAX_STEPS = 60
"""A gateway is killed at one of its first so many steps."""
MIN_BILLS, KILLS_PER_BILL = 20, 2
MAX_COMPARISONS = 200
"""Comparisons of a run: after every kill up to so many, in a long run after each of its 200 parts."""
STEP_AHEAD = timedelta(minutes=3)
"""How much later than the one before each gateway begins its life."""
SETTLING_STEP, MAX_SETTLING_LIVES = timedelta(minutes=61), 60


@dataclass
class PaymentSoak:
    """A run of the given number of kills; the same seed kills at the same steps."""

    launcher: GatewayLauncher
    books: PaymentBooks
    settings: dict[str, Any]
    kill_count: int
    seed: int
    ahead: timedelta = timedelta()
    killed: int = 0
    compared: int = 0
    """Kills at the last comparison."""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    async def run(self, on_progress: ReportProgress = lambda done, total: None) -> BooksVerdict:
        """Kill the given number of times, let the last gateways finish, and compare the books."""
        await self.books.insert_bills(max(MIN_BILLS, self.kill_count // KILLS_PER_BILL))
        await asyncio.gather(*(self._run_lane(on_progress) for _ in range(LANES)))
        return await self._settle()

    async def _run_lane(self, on_progress: ReportProgress) -> None:
        while self.killed < self.kill_count:
            status = await self._run_life(STEP_AHEAD, f"step@{self.dice.randint(1, MAX_STEPS)}")
            assert status in (0, -9), self.launcher.log.read_text()
            self.killed += status == -9
            await self._compare_books()
            on_progress(min(self.killed, self.kill_count), self.kill_count)

    async def _compare_books(self) -> None:
        """Compare all sides after a part of the kills: a comparison reads every payment made so far."""
        if self.killed < self.compared + max(1, self.kill_count // MAX_COMPARISONS):
            return
        self.compared = self.killed
        await self.books.pay_forgotten_pages()
        assert (verdict := await self.books.read_verdict()).is_balanced, verdict

    async def _run_life(self, later: timedelta, point: str, role: str = "payments") -> int:
        self.ahead += later
        port = free_port()
        settings = self.settings | {"public_url": f"http://127.0.0.1:{port}", "port": port}
        gateway = self.launcher.start_gateway(role, settings, point, self.ahead.total_seconds())
        return await self.launcher.wait_until_ended(gateway)

    async def _settle(self) -> BooksVerdict:
        """Let gateways live on until no payment is under way any more."""
        for _ in range(MAX_SETTLING_LIVES):
            status = await self._run_life(SETTLING_STEP, "", "payment_tasks")
            assert status == 0, self.launcher.log.read_text()
            await self.books.pay_forgotten_pages()
            if await self.books.is_settled():
                break
        return await self.books.read_verdict()


@asynccontextmanager
async def open_soak(
    launcher: GatewayLauncher, url: str, kill_count: int, seed: int
) -> AsyncIterator[PaymentSoak]:
    """Open a soak on an empty database, with the provider in this process."""
    soak: list[PaymentSoak] = []
    payfake = Payfake(lambda: datetime.now(UTC) + (soak[0].ahead if soak else timedelta()))
    database = connect(url)
    await upgrade_database(database)
    await mark_as_demo(database)
    async with serve_payfake([OPERATOR], payfake):
        books = PaymentBooks(database, payfake)
        soak.append(PaymentSoak(launcher, books, soak_settings(url, payfake.url), kill_count, seed))
        try:
            yield soak[0]
        finally:
            await database.close()


def soak_settings(url: str, payfake_url: str) -> dict[str, Any]:
    """Return the settings of a gateway that takes payments; its messages go to a recorder."""
    operator = {
        "routes": {"sms": "twilio"},
        "twilio": {"account_sid": "AC0", "auth_token": "9d3f0b7c51ae48626cb1e0f4a97d2358", "sender": "477"},
        "payments": payment_settings(payfake_url),
    }
    return {"demo": True, "secret_key": SECRET, "database_url": url, "operators": {OPERATOR: operator}}


async def run_soak(url: str, kills: int, seed: int) -> BooksVerdict:
    """Run a soak with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_soak(launcher, url, kills, seed) as soak:
            with show_progress("soak of payments", "kills") as report:
                return await soak.run(report)


def main() -> int:
    """Print kills, intents, where the money is, what is wrong and the seed; return 1 unless all balances."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.payment_soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = parser.parse_args()
    with run_server(PostgresServer) as server:
        began = time.monotonic()
        verdict = asyncio.run(run_soak(server.create_database("payment_soak"), args.kills, args.seed))
        took = time.monotonic() - began
    print(
        f"kills {args.kills}  intents {verdict.intent_count}  in {verdict.money_in}  booked {verdict.booked}"
        f"  refunded {verdict.refunded} (by hand {verdict.by_hand})  open {verdict.open}"
        f"  lost {len(verdict.lost)}  misrecorded {len(verdict.misrecorded)}  double {len(verdict.double)}"
        f"  seed {args.seed}  ({took:.0f} s)"
    )
    return int(not verdict.is_balanced)


if __name__ == "__main__":
    sys.exit(main())
