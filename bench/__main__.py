"""The bench: the five-step journey against a bare aiohttp handler, interleaved, as ratios of one run."""

import argparse
import asyncio
import itertools
import os
from statistics import median

from bench import load, servers

PATH = "/hooks/orange-ro/africastalking/demo/ussd"
MENUS = ["", "1", "1", "3", "0"]
"""*100#, Buget, Factura, factura electronica, back: what the gateway itself does."""
BILL = ["", "1", "1", "1", "0"]
"""*100#, Buget, Factura, ultima factura, back: three reads of SQLite in five steps."""
KNOWN = 50
"""Callers who come back within the minute their name and language are remembered."""


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--redis", default="", help="keep sessions there instead of in memory")
    args = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with servers.process("bare", 0) as bare, servers.process("ours", 0, args.redis) as ours:
        rows = [_round(args, bare, ours) for _ in range(args.rounds)]
    _report(rows)


numbers = itertools.count()
Figures = tuple[float, float]
"""CPU microseconds per answered request, and the p99 in milliseconds."""


def _round(args: argparse.Namespace, bare: servers.Server, ours: servers.Server) -> list[Figures]:
    """One after the other, so that what else the machine does falls on all three alike."""
    return [
        _measured(args, bare, MENUS, KNOWN),
        _measured(args, ours, MENUS, KNOWN),
        _measured(args, ours, BILL, servers.CALLERS),
    ]


def _measured(args: argparse.Namespace, server: servers.Server, answers: list[str], callers: int) -> Figures:
    pid, port = server
    before = servers.cpu_seconds(pid)
    journey = load.ussd_journey(PATH, answers, callers)
    tally = asyncio.run(load.run(port, journey, numbers, args.connections, args.seconds))
    if tally.wrong:
        raise SystemExit(f"{tally.wrong} of {tally.answered} answers were no 200")
    return (servers.cpu_seconds(pid) - before) / tally.answered * 1e6, tally.p99_ms()


def _report(rounds: list[list[Figures]]) -> None:
    bare, *ours = [tuple(map(median, zip(*column, strict=True))) for column in zip(*rounds, strict=True)]
    print(f"bare aiohttp, constant reply        {bare[0]:7.1f} us CPU a request, p99 {bare[1]:6.1f} ms")
    for name, (cpu, p99) in zip(("menus, caller known", "latest bill, caller new"), ours, strict=True):
        ratio, slower = bare[0] / cpu, p99 / bare[1]
        print(
            f"{name:35} {cpu:7.1f} us CPU a request, p99 {p99:6.1f} ms: {ratio:.2f} of bare, p99 {slower:.1f}x"
        )


if __name__ == "__main__":
    main()
