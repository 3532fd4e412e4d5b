"""Cluster benchmark: two operators on three Redis nodes and a PostgreSQL each, against one of everything.

Run: python -m bench.cluster [--rounds 3] [--seconds 2] [--connections 32]. Operators are divided as
docs/scaling.md says: each has a gateway process and a PostgreSQL of its own; the sessions of both are in one
Redis Cluster. Beside it one process, one Redis and one PostgreSQL serve both. Rounds are interleaved and every
answer's words are compared. Processor time a request, added up over all processes of a kind, is what can be
compared on two cores. The run fails unless every node and every PostgreSQL did its own part and nobody else's.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cluster_servers import OPERATORS, Deployment, run_divided, run_single
from bench.load import LoadResult, Step, run_load, ussd_journey
from bench.measure import (
    BILL_NAME,
    BILL_STEPS,
    KNOWN_CALLERS,
    MENU_STEPS,
    MENUS_NAME,
    require_right_answers,
)
from bench.servers import CALLER_COUNT
from bench.startup import copy_packs
from tests.support.server_processes import poll_until

WARM_UP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ClusterCase:
    """One journey of callers of both operators."""

    name: str
    steps: Sequence[Step]
    first_caller: int
    callers: int


CASES = (
    ClusterCase(MENUS_NAME, MENU_STEPS, 0, KNOWN_CALLERS),
    ClusterCase(BILL_NAME, BILL_STEPS, KNOWN_CALLERS, CALLER_COUNT - KNOWN_CALLERS),
)


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """One load: answers a second, latency, and processor time in microseconds a request by kind of process."""

    rate: float
    p99_milliseconds: float
    cpu: Mapping[str, float]


async def measure_load(
    deployment: Deployment, case: ClusterCase, connections: int, seconds: float
) -> ClusterFigures:
    """Load all operators at once, each over its share of the connections; SystemExit on a wrong answer."""
    before = deployment.cpu_seconds()
    share = max(1, connections // len(OPERATORS))
    loads = (_load_operator(deployment, operator, case, share, seconds) for operator in OPERATORS)
    tallies = await asyncio.gather(*loads)
    for tally in tallies:
        require_right_answers(tally)
    count = sum(tally.answer_count for tally in tallies)
    after = deployment.cpu_seconds()
    spent = {part: (after[part] - before[part]) / count * 1e6 for part in before}
    return ClusterFigures(count / seconds, max(tally.p99_milliseconds() for tally in tallies), spent)


async def _load_operator(
    deployment: Deployment, operator: str, case: ClusterCase, connections: int, seconds: float
) -> LoadResult:
    path = f"/hooks/{operator}/africastalking/demo/ussd"
    journey = ussd_journey(path, case.steps, case.callers, case.first_caller)
    return await run_load(deployment.port_of(operator), journey, deployment.numbers, connections, seconds)


async def require_division(divided: Deployment) -> None:
    """Raise SystemExit unless every Redis node holds keys, and each PostgreSQL one operator's audit lines."""
    keys = await divided.count_keys()
    if not all(keys):
        raise SystemExit(f"keys of the nodes: {keys}")
    expected = [[operator] for operator in OPERATORS]

    async def is_divided() -> bool:
        return await divided.find_audited_operators() == expected

    try:
        await poll_until(is_divided, 30)  # audit lines of reads are written a moment later
    except TimeoutError:
        raise SystemExit(f"operators by PostgreSQL: {await divided.find_audited_operators()}") from None


async def run_bench(rounds: int, seconds: float, connections: int) -> None:
    """Measure both deployments in turn and print medians and ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_packs(folder / "packs", len(OPERATORS))
        async with (
            run_divided(folder / "packs", folder) as divided,
            run_single(folder / "packs", folder) as single,
        ):
            for deployment in (divided, single):
                for case in CASES:
                    await measure_load(deployment, case, connections, WARM_UP_SECONDS)
            for case in CASES:
                pairs = [
                    (
                        await measure_load(divided, case, connections, seconds),
                        await measure_load(single, case, connections, seconds),
                    )
                    for _ in range(rounds)
                ]
                print("\n".join(format_case(case.name, pairs)), flush=True)
            await require_division(divided)
            print(f"keys on the nodes of the cluster: {await divided.count_keys()}")


def format_case(name: str, pairs: Sequence[tuple[ClusterFigures, ClusterFigures]]) -> list[str]:
    """Return the lines of a case: what each deployment spent, and the ratio within the rounds."""
    lines = [name]
    for title, column in zip(("divided", "one of each"), zip(*pairs, strict=True), strict=True):
        spent = ", ".join(f"{part} {median(each.cpu[part] for each in column):.0f}" for part in column[0].cpu)
        rate, p99 = median(each.rate for each in column), median(each.p99_milliseconds for each in column)
        lines.append(f"  {title:11} us of CPU a request: {spent}; {rate:.0f} answers/s, p99 {p99:.1f} ms")
    for part in pairs[0][0].cpu:
        ratios = [divided.cpu[part] / single.cpu[part] for divided, single in pairs if single.cpu[part]]
        if ratios:
            lines.append(f"  {part}: {median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")
    return lines


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    os.sched_setaffinity(0, {1})
    asyncio.run(run_bench(args.rounds, args.seconds, args.connections))


if __name__ == "__main__":
    main()
