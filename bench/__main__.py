"""Benchmark of the five-step journey against a bare aiohttp handler, interleaved, as ratios."""

import argparse
import os
from statistics import median

from bench import servers
from bench.measure import BILL, KNOWN, MENUS, Figures, measured


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


def _round(args: argparse.Namespace, bare: servers.Server, ours: servers.Server) -> list[Figures]:
    """Measure the three loads one after the other, so that other load on the machine hits them alike."""
    return [
        measured(args, [bare], MENUS, KNOWN),
        measured(args, [ours], MENUS, KNOWN),
        measured(args, [ours], BILL, servers.CALLERS),
    ]


def _report(rounds: list[list[Figures]]) -> None:
    bare, *ours = [Figures(*map(median, zip(*column, strict=True))) for column in zip(*rounds, strict=True)]
    print(f"bare aiohttp, constant reply        {bare.cpu:7.1f} us CPU a request, p99 {bare.p99:6.1f} ms")
    for name, (cpu, p99, _) in zip(("menus, caller known", "latest bill, caller new"), ours, strict=True):
        ratio, slower = bare.cpu / cpu, p99 / bare.p99
        print(
            f"{name:35} {cpu:7.1f} us CPU a request, p99 {p99:6.1f} ms: {ratio:.2f} of bare, p99 {slower:.1f}x"
        )


if __name__ == "__main__":
    main()
