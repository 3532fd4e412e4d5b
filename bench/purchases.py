"""Purchase benchmark: decisions a second with distinct lines, and parallel charges against one cap.

With `--processes 2` two processes share the lines, as two workers of the gateway on two cores do, and both
charge the line with the cap at the same time.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from typing import Any

from bench.outbox import children_cpu_seconds
from flows.domain.purchase_records import (
    Charge,
    ChargeDecision,
    ChargeRequest,
    PolicyChange,
    PurchaseLimits,
)
from flows.domain.records import OutboundMessage, Secret
from storage.purchases.charges import SqlCharges
from storage.purchases.policies import SqlSpendPolicies
from storage.sql.engine import connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
SECRET = Secret("a key for the benchmark and nothing else")
LIMITS, CAP = PurchaseLimits(Decimal(50), Decimal(300)), Decimal(10)
LEAST_PER_SECOND = 500
"""Decisions a second asked for on two cores, with the database beside it."""
AT_ONCE, PARALLEL_CHARGES = 8, 20
SHARED_LINE = "shared"
"""The line whose cap all processes charge against."""
START_SECONDS, RESULT_SECONDS = 60.0, 300.0
"""How long a process waits for the others, and the benchmark for its processes."""
OPERATOR = "bouygues"


@dataclass(frozen=True, slots=True)
class PurchaseStores:
    """The policies and charges of one database."""

    policies: SqlSpendPolicies
    charges: SqlCharges

    async def allow(self, line: str) -> None:
        """Give a line a policy."""
        change = PolicyChange(f"allow-{line}", OPERATOR, line, NOW, is_enabled=True, monthly_cap=CAP)
        await self.policies.change_policy(change)

    async def decide(self, charge: Charge) -> ChargeDecision:
        """Decide a charge, with its SMS in the outbox."""
        return await self.charges.decide_charge(ChargeRequest(charge, LIMITS), build_notices)


def build_notices(decision: ChargeDecision) -> Sequence[OutboundMessage]:
    """Build the SMS that follows a decision."""
    charge = decision.charge
    text = f"{charge.amount} {charge.label}, {decision.spending.spent}"
    expires_at = NOW + timedelta(days=3)
    return (
        OutboundMessage(
            f"{charge.id}/made", OPERATOR, charge.line, "sms", "reply", text, "fr", expires_at=expires_at
        ),
    )


def build_charge(number: int, line: str) -> Charge:
    """Build a charge of 1.50 to a line."""
    return Charge(
        id=f"{number:032x}",
        operator=OPERATOR,
        subscription=line,
        account=line,
        line="+33660000101",
        merchant="parkplus",
        correlator=f"c-{number}",
        reference=f"r-{number}",
        category="parking",
        label="Zone 2",
        amount=Decimal("1.50"),
        currency="EUR",
        state="succeeded",
        period="2026-03",
        created_at=NOW,
        changed_at=NOW,
    )


@dataclass(frozen=True, slots=True)
class ProcessShare:
    """What one of several processes decides: its number, how many there are, and all lines together."""

    number: int
    processes: int
    lines: int
    server: int
    """Process id of the database server."""

    @property
    def charges(self) -> list[Charge]:
        """A charge to each of this process's lines."""
        return [build_charge(each, f"line-{each}") for each in range(self.number, self.lines, self.processes)]

    @property
    def shared_charges(self) -> list[Charge]:
        """This process's charges to the line with the cap."""
        numbers = range(self.number, PARALLEL_CHARGES, self.processes)
        return [build_charge(1_000_000 + each, SHARED_LINE) for each in numbers]


@dataclass(frozen=True, slots=True)
class ShareFigures:
    """When a process decided its share, on the machine's monotonic clock, and what that took."""

    began: float
    ended: float
    cpu_seconds: float
    server_cpu_seconds: float
    """Processor time of the database server meanwhile, for all processes together."""
    spent: Decimal
    """What its charges to the line with the cap come to."""


def run_share(url: str, share: ProcessShare, start: Any, results: Any) -> None:
    """Decide a share in this process; `start` is the barrier of all processes, `results` their queue."""
    results.put(asyncio.run(_decide_share(url, share, start)))


async def _decide_share(url: str, share: ProcessShare, start: Any) -> ShareFigures:
    database = connect(url)
    stores = PurchaseStores(SqlSpendPolicies(database, SECRET), SqlCharges(database, SECRET))
    charges = share.charges
    try:
        for charge in charges:
            await stores.allow(charge.subscription)
        start.wait(START_SECONDS)
        began, cpu, server_cpu = _read_clocks(share.server)
        await asyncio.gather(*(_decide_in_turn(stores, charges[each::AT_ONCE]) for each in range(AT_ONCE)))
        ended, cpu_after, server_cpu_after = _read_clocks(share.server)
        start.wait(START_SECONDS)
        decisions = await asyncio.gather(*map(stores.decide, share.shared_charges))
    finally:
        await database.close()
    spent = sum((each.charge.amount for each in decisions if each.denial is None), Decimal(0))
    return ShareFigures(began, ended, cpu_after - cpu, server_cpu_after - server_cpu, spent)


def _read_clocks(server: int) -> tuple[float, float, float]:
    """Return the monotonic time, and the processor times of this process and of the database, in seconds."""
    return time.perf_counter(), time.process_time(), children_cpu_seconds(server)


async def _decide_in_turn(stores: PurchaseStores, charges: Sequence[Charge]) -> None:
    for charge in charges:
        await stores.decide(charge)


def decide_in_processes(url: str, server: int, processes: int, lines: int) -> list[ShareFigures]:
    """Return the figures of each process; raises `queue.Empty` when one of them has failed."""
    asyncio.run(_prepare_database(url))
    context = get_context("fork")  # no connection is open here; nothing is imported again
    start, results = context.Barrier(processes), context.Queue()
    shares = [ProcessShare(each, processes, lines, server) for each in range(processes)]
    children = [context.Process(target=run_share, args=(url, each, start, results)) for each in shares]
    for child in children:
        child.start()
    try:
        return [results.get(timeout=RESULT_SECONDS) for _ in children]
    finally:
        for child in children:
            child.kill()
            child.join()


async def _prepare_database(url: str) -> None:
    database = connect(url)
    try:
        await upgrade_database(database)
        await PurchaseStores(SqlSpendPolicies(database, SECRET), SqlCharges(database, SECRET)).allow(
            SHARED_LINE
        )
    finally:
        await database.close()


def print_figures(figures: Sequence[ShareFigures], lines: int) -> None:
    """Print the rate and the sum of the shared line; SystemExit when that passes its cap."""
    seconds = max(each.ended for each in figures) - min(each.began for each in figures)
    own = sum(each.cpu_seconds for each in figures) * 1e3 / lines
    server = max(each.server_cpu_seconds for each in figures) * 1e3 / lines
    spent = sum((each.spent for each in figures), Decimal(0))
    print(f"{len(figures)} processes: {lines / seconds:.0f} decisions a second with distinct lines")
    print(f"processor time of one: {own:.2f} ms here, {server:.2f} ms in the database")
    print(f"that is {2_000 / (own + server):.0f} a second of two whole cores, at least {LEAST_PER_SECOND}")
    print(f"{PARALLEL_CHARGES} parallel charges come to {spent}, at most {CAP}")
    if spent > CAP:
        raise SystemExit("the cap was passed")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.purchases")
    parser.add_argument("--count", type=int, default=2_000, help="distinct lines")
    parser.add_argument("--processes", type=int, default=1, help="processes that share the lines")
    args = parser.parse_args()
    with run_server(PostgresServer) as postgres:
        assert postgres.child
        url, server = postgres.create_database("bench"), postgres.child.pid
        print_figures(decide_in_processes(url, server, args.processes, args.count), args.count)


if __name__ == "__main__":
    main()
