"""Purchase benchmark: decisions a second with distinct lines, and parallel charges against one cap."""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
SECRET = Secret("a key for the benchmark and nothing else")
LIMITS, CAP = PurchaseLimits(Decimal(50), Decimal(300)), Decimal(10)
LEAST_PER_SECOND = 500
"""Decisions a second asked for on two cores, with the database beside it."""
AT_ONCE, PARALLEL_CHARGES = 8, 20
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
class DecisionFigures:
    """How fast charges are decided, and what one costs this process and the database."""

    per_second: float
    own_cpu_milliseconds: float
    server_cpu_milliseconds: float


async def measure_decisions(stores: PurchaseStores, server: int, count: int) -> DecisionFigures:
    """Return the figures for as many distinct lines; `server` is the database's process."""
    lines = [f"line-{number}" for number in range(count)]
    for line in lines:
        await stores.allow(line)
    charges = [build_charge(number, line) for number, line in enumerate(lines, 1)]
    began, own, database = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    await asyncio.gather(*(_decide_in_turn(stores, charges[start::AT_ONCE]) for start in range(AT_ONCE)))
    return DecisionFigures(
        per_second=count / (time.perf_counter() - began),
        own_cpu_milliseconds=(time.process_time() - own) * 1e3 / count,
        server_cpu_milliseconds=(children_cpu_seconds(server) - database) * 1e3 / count,
    )


async def measure_cap(stores: PurchaseStores) -> Decimal:
    """Return what parallel charges to one line come to; they may not pass its cap."""
    await stores.allow("shared")
    wanted = [build_charge(1_000_000 + number, "shared") for number in range(PARALLEL_CHARGES)]
    decisions = await asyncio.gather(*(stores.decide(each) for each in wanted))
    return sum((each.charge.amount for each in decisions if each.denial is None), Decimal(0))


async def _decide_in_turn(stores: PurchaseStores, charges: Sequence[Charge]) -> None:
    for charge in charges:
        await stores.decide(charge)


async def run_benchmark(database: Database, server: int, count: int) -> None:
    """Measure both and print the figures."""
    stores = PurchaseStores(SqlSpendPolicies(database, SECRET), SqlCharges(database, SECRET))
    figures, spent = await measure_decisions(stores, server, count), await measure_cap(stores)
    print(f"{figures.per_second:.0f} decisions a second with distinct lines, at least {LEAST_PER_SECOND}")
    own, database_cpu = figures.own_cpu_milliseconds, figures.server_cpu_milliseconds
    print(f"processor time of one: {own:.2f} ms here, {database_cpu:.2f} ms in the database")
    print(f"{PARALLEL_CHARGES} parallel charges come to {spent}, at most {CAP}")
    if spent > CAP:
        raise SystemExit("the cap was passed")


async def _open_and_run(url: str, server: int, count: int) -> None:
    database = connect(url)
    try:
        await upgrade_database(database)
        await run_benchmark(database, server, count)
    finally:
        await database.close()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.purchases")
    parser.add_argument("--count", type=int, default=2_000, help="distinct lines")
    args = parser.parse_args()
    with run_server(PostgresServer) as postgres:
        assert postgres.child
        asyncio.run(_open_and_run(postgres.create_database("bench"), postgres.child.pid, args.count))


if __name__ == "__main__":
    main()
