"""The bench: the five-step journey against a bare aiohttp handler, interleaved, as ratios of one run."""

import argparse
import asyncio
import itertools
import os
from statistics import median

from bench import load, servers

PATH = "/hooks/orange-ro/africastalking/demo/ussd"
ANSWERS = ["", "1", "1", "1", "0"]
"""*100#, Buget, Factura, ultima factura (read from billing), back."""


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


Row = tuple[float, float, float, float]


def _round(args: argparse.Namespace, bare: tuple[int, int], ours: tuple[int, int]) -> Row:
    (first, first_p99), (second, second_p99) = _measured(args, bare), _measured(args, ours)
    return first, second, first_p99, second_p99


numbers = itertools.count()


def _measured(args: argparse.Namespace, server: tuple[int, int]) -> tuple[float, float]:
    """CPU microseconds per answered request, and the p99 in milliseconds."""
    pid, port = server
    before = servers.cpu_seconds(pid)
    journey = load.ussd_journey(PATH, ANSWERS, servers.CALLERS)
    tally = asyncio.run(load.run(port, journey, numbers, args.connections, args.seconds))
    if tally.wrong:
        raise SystemExit(f"{tally.wrong} of {tally.answered} answers were no 200")
    return (servers.cpu_seconds(pid) - before) / tally.answered * 1e6, tally.p99_ms()


def _report(rows: list[Row]) -> None:
    bare, ours, bare_p99, ours_p99 = (median(column) for column in zip(*rows, strict=True))
    print(f"bare aiohttp      {bare:7.1f} us CPU a request, p99 {bare_p99:6.1f} ms")
    print(f"full USSD step    {ours:7.1f} us CPU a request, p99 {ours_p99:6.1f} ms")
    print(f"throughput ratio  {bare / ours:7.2f} of bare (bar 0.40, aim 0.60)")
    print(f"p99 ratio         {ours_p99 / bare_p99:7.2f} times bare")


if __name__ == "__main__":
    main()
