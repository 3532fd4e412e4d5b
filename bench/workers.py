"""Scaling benchmark: two workers against one, on one port and one Redis.

Run: python -m bench.workers --redis redis://... Where the load and Redis need the second core, too, answers
a second show little, so the work is compared: two workers with a core each do twice the work of one, less
what a request costs more when they share. What many cores do to each other is not shown.
"""

import argparse
import os
from statistics import median

from bench import servers
from bench.measure import KNOWN_CALLERS, MENU_STEPS, RoundFigures, measure_load


def main() -> None:
    """Interleave the rounds of one and of two workers, and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--redis", required=True, help="where they keep their sessions")
    args = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with (
        servers.start_server("ours", 0, args.redis) as alone,
        servers.start_server("ours", 0, args.redis) as first,
    ):
        with servers.start_server("ours", 1, args.redis, first[1]) as second:
            rows = [
                [
                    measure_load(args, workers, MENU_STEPS, KNOWN_CALLERS)
                    for workers in ([alone], [first, second])
                ]
                for _ in range(args.rounds)
            ]
    _print_report(rows)


def _print_report(rows: list[list[RoundFigures]]) -> None:
    for name, column in zip(("one worker", "two workers"), zip(*rows, strict=True), strict=True):
        cpu, _, rate = map(median, zip(*column, strict=True))
        print(f"{name:12} {cpu:7.1f} us CPU a request; {rate:6.0f} answers a second, load and Redis beside")
    print(f"two do {median(2 * one.cpu / two.cpu for one, two in rows):.2f}x the work of one, with a core each")


if __name__ == "__main__":
    main()
