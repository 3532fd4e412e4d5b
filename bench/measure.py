"""Measure the CPU and latency of servers under load."""

import argparse
import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench import load, servers

WEBHOOK_PATH = "/hooks/orange-ro/africastalking/demo/ussd"
MENUS_NAME, BILL_NAME = "menus of a known caller", "a new caller reads a bill"
"""Names of the cases, by which results of several benchmarks are compared."""
MENU_STEPS: Sequence[load.Step] = (
    ("", "Bine ati venit"),
    ("1", "1 Factura"),
    ("1", "1 Ultima factura"),
    ("3", "1 Da"),
    ("00", "Bine ati venit"),
    ("0", "Va multumim"),
)
"""*100#, Buget, Factura, factura electronica, home, exit: menus only, no billing."""
BILL_STEPS: Sequence[load.Step] = (*MENU_STEPS[:3], ("1", "79,90 lei"), *MENU_STEPS[4:])
"""*100#, Buget, Factura, ultima factura, home, exit: three reads of SQLite in six steps."""
WARM_UP_SECONDS = 0.5
"""Load before the first round, which is not counted: connections, caches and byte code are there then."""
KNOWN_CALLERS = 600
"""Callers who return while their name and language are cached, which is for 30 s. They are more than twice the
connections of any case: who dials while an earlier call of theirs is in mid-menu is offered to continue it."""

session_numbers = itertools.count()


class RoundFigures(NamedTuple):
    """The figures of a round."""

    cpu: float
    """Microseconds of all servers' CPU per answered request."""
    p99: float
    """99th percentile of the latency, in milliseconds."""
    rate: float
    """Answers a second."""


def measure_journey(
    told: Sequence[servers.ProcessAndPort],
    journey: load.Journey,
    numbers: Iterator[int],
    connections: int,
    seconds: float,
) -> RoundFigures:
    """Load servers that share a port with journeys, and return what that took.

    SystemExit when an answer is no 200, or not the screen it must be.
    """
    before = _total_cpu_seconds(told)
    tally = asyncio.run(load.run_load(told[0][1], journey, numbers, connections, seconds))
    require_right_answers(tally)
    spent = _total_cpu_seconds(told) - before
    return RoundFigures(
        spent / tally.answer_count * 1e6, tally.p99_milliseconds(), tally.answer_count / seconds
    )


def measure_load(
    args: argparse.Namespace, told: Sequence[servers.ProcessAndPort], steps: Sequence[load.Step], callers: int
) -> RoundFigures:
    """Load servers that share a port with callers who answer these steps, and return what that took."""
    journey = load.ussd_journey(WEBHOOK_PATH, steps, callers)
    return measure_journey(told, journey, session_numbers, args.connections, args.seconds)


def require_right_answers(tally: load.LoadResult) -> None:
    """Raise SystemExit when an answer was no 200, or not the screen it must be."""
    if tally.error_count:
        raise SystemExit(f"{tally.error_count} of {tally.answer_count} answers were no 200")
    if tally.wrong_count:
        raise SystemExit(
            f"{tally.wrong_count} of {tally.answer_count} answers were not the screen they must be:"
            f" {tally.first_wrong!r}"
        )


def _total_cpu_seconds(told: Sequence[servers.ProcessAndPort]) -> float:
    return sum(servers.cpu_seconds(pid) for pid, _ in told)
