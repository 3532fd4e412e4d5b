"""Benchmark of the five-step journey against a bare aiohttp handler, interleaved, as ratios."""

import argparse
import os
from statistics import median

from bench import servers
from bench.measure import BILL_ANSWERS, KNOWN_CALLERS, MENU_ANSWERS, RoundFigures, measure_load


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--redis", default="", help="keep sessions there instead of in memory")
    args = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with servers.start_server("bare", 0) as bare, servers.start_server("ours", 0, args.redis) as ours:
        rows = [_measure_round(args, bare, ours) for _ in range(args.rounds)]
    _print_report(rows)


def _measure_round(
    args: argparse.Namespace, bare: servers.ProcessAndPort, ours: servers.ProcessAndPort
) -> list[RoundFigures]:
    """Measure the three loads one after the other, so that other load on the machine hits them alike."""
    return [
        measure_load(args, [bare], MENU_ANSWERS, KNOWN_CALLERS),
        measure_load(args, [ours], MENU_ANSWERS, KNOWN_CALLERS),
        measure_load(args, [ours], BILL_ANSWERS, servers.CALLER_COUNT),
    ]


def _print_report(rounds: list[list[RoundFigures]]) -> None:
    bare, *ours = [
        RoundFigures(*map(median, zip(*column, strict=True))) for column in zip(*rounds, strict=True)
    ]
    print(f"bare aiohttp, constant reply        {bare.cpu:7.1f} us CPU a request, p99 {bare.p99:6.1f} ms")
    for name, (cpu, p99, _) in zip(("menus, caller known", "latest bill, caller new"), ours, strict=True):
        ratio, slower = bare.cpu / cpu, p99 / bare.p99
        print(
            f"{name:35} {cpu:7.1f} us CPU a request, p99 {p99:6.1f} ms: {ratio:.2f} of bare, p99 {slower:.1f}x"
        )


if __name__ == "__main__":
    main()
