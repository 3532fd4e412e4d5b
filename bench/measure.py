"""Measure the CPU and latency of servers under load."""

import argparse
import asyncio
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from bench import load, servers

WEBHOOK_PATH = "/hooks/orange-ro/africastalking/demo/ussd"
MENU_ANSWERS = ["", "1", "1", "3", "0"]
"""*100#, Buget, Factura, factura electronica, back: menus only, no billing."""
BILL_ANSWERS = ["", "1", "1", "1", "0"]
"""*100#, Buget, Factura, ultima factura, back: three reads of SQLite in five steps."""
KNOWN_CALLERS = 50
"""Callers who return within the minute their name and language are cached."""

session_numbers = itertools.count()


class RoundFigures(NamedTuple):
    """The figures of a round."""

    cpu: float
    """Microseconds of all servers' CPU per answered request."""
    p99: float
    """99th percentile of the latency, in milliseconds."""
    rate: float
    """Answers a second."""


def measure_load(
    args: argparse.Namespace, told: Sequence[servers.ProcessAndPort], answers: list[str], callers: int
) -> RoundFigures:
    """Load servers that share a port over `connections` for `seconds`; a status other than 200 ends it."""
    before = _total_cpu_seconds(told)
    journey = load.ussd_journey(WEBHOOK_PATH, answers, callers)
    tally = asyncio.run(load.run_load(told[0][1], journey, session_numbers, args.connections, args.seconds))
    if tally.error_count:
        raise SystemExit(f"{tally.error_count} of {tally.answer_count} answers were no 200")
    spent = _total_cpu_seconds(told) - before
    return RoundFigures(
        spent / tally.answer_count * 1e6, tally.p99_milliseconds(), tally.answer_count / args.seconds
    )


def _total_cpu_seconds(told: Sequence[servers.ProcessAndPort]) -> float:
    return sum(servers.cpu_seconds(pid) for pid, _ in told)
