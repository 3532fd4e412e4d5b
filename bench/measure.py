"""Measure the CPU and latency of servers under load."""

import argparse
import asyncio
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from bench import load, servers

PATH = "/hooks/orange-ro/africastalking/demo/ussd"
MENUS = ["", "1", "1", "3", "0"]
"""*100#, Buget, Factura, factura electronica, back: menus only, no billing."""
BILL = ["", "1", "1", "1", "0"]
"""*100#, Buget, Factura, ultima factura, back: three reads of SQLite in five steps."""
KNOWN = 50
"""Callers who return within the minute their name and language are cached."""

numbers = itertools.count()


class Figures(NamedTuple):
    """The figures of a round."""

    cpu: float
    """Microseconds of all servers' CPU per answered request."""
    p99: float
    """99th percentile of the latency, in milliseconds."""
    rate: float
    """Answers a second."""


def measured(
    args: argparse.Namespace, told: Sequence[servers.Server], answers: list[str], callers: int
) -> Figures:
    """Load servers that share a port over `connections` for `seconds`; a status other than 200 ends it."""
    before = _cpu_seconds(told)
    journey = load.ussd_journey(PATH, answers, callers)
    tally = asyncio.run(load.run(told[0][1], journey, numbers, args.connections, args.seconds))
    if tally.wrong:
        raise SystemExit(f"{tally.wrong} of {tally.answered} answers were no 200")
    spent = _cpu_seconds(told) - before
    return Figures(spent / tally.answered * 1e6, tally.p99_ms(), tally.answered / args.seconds)


def _cpu_seconds(told: Sequence[servers.Server]) -> float:
    return sum(servers.cpu_seconds(pid) for pid, _ in told)
