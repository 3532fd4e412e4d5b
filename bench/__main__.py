"""Benchmark of the six-step journey against a bare aiohttp handler, interleaved, as ratios."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench import servers
from bench.measure import (
    BARE_STEPS,
    BILL_STEPS,
    KNOWN_CALLERS,
    MENU_STEPS,
    RoundFigures,
    measure_load,
    warm_up,
)

CASES = ("menus, caller known", "latest bill, caller new")


@dataclass(frozen=True)
class CaseFigures:
    """One case over all rounds: medians, and the ratios to the bare server of the same round."""

    name: str
    cpu_microseconds: float
    p99_milliseconds: float
    ratio: float
    """Median of the rounds' ratios: the bare server's CPU a request by ours."""
    lowest_ratio: float
    highest_ratio: float
    p99_factor: float


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--redis", default="", help="keep sessions there instead of in memory")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with servers.start_server("bare", 0) as bare, servers.start_server("ours", 0, args.redis) as ours:
        warm_up(args, bare, BARE_STEPS)
        warm_up(args, ours, MENU_STEPS)
        rounds = [_measure_round(args, bare, ours) for _ in range(args.rounds)]
    cases = summarise_rounds(rounds)
    _print_report(rounds, cases)
    if args.json:
        options = {"redis": bool(args.redis), "rounds": args.rounds, "connections": args.connections}
        figures = {**options, "cases": [asdict(case) for case in cases]}
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _measure_round(
    args: argparse.Namespace, bare: servers.ProcessAndPort, ours: servers.ProcessAndPort
) -> list[RoundFigures]:
    """Measure the three loads one after the other, so that other load on the machine hits them alike."""
    return [
        measure_load(args, [bare], BARE_STEPS, KNOWN_CALLERS),
        measure_load(args, [ours], MENU_STEPS, KNOWN_CALLERS),
        measure_load(args, [ours], BILL_STEPS, servers.CALLER_COUNT),
    ]


def summarise_rounds(rounds: Sequence[Sequence[RoundFigures]]) -> list[CaseFigures]:
    """Return the figures of each case; ratios are formed within a round."""
    bare, *ours = zip(*rounds, strict=True)
    return [_summarise_case(name, bare, figures) for name, figures in zip(CASES, ours, strict=True)]


def _summarise_case(name: str, bare: Sequence[RoundFigures], ours: Sequence[RoundFigures]) -> CaseFigures:
    ratios = [alone.cpu / own.cpu for alone, own in zip(bare, ours, strict=True)]
    return CaseFigures(
        name=name,
        cpu_microseconds=median(own.cpu for own in ours),
        p99_milliseconds=median(own.p99 for own in ours),
        ratio=median(ratios),
        lowest_ratio=min(ratios),
        highest_ratio=max(ratios),
        p99_factor=median(own.p99 / alone.p99 for alone, own in zip(bare, ours, strict=True)),
    )


def _print_report(rounds: Sequence[Sequence[RoundFigures]], cases: Sequence[CaseFigures]) -> None:
    bare = [figures[0] for figures in rounds]
    cpu, p99 = median(each.cpu for each in bare), median(each.p99 for each in bare)
    print(f"bare aiohttp, constant reply        {cpu:7.1f} us CPU a request, p99 {p99:6.1f} ms")
    for case in cases:
        spent = f"{case.cpu_microseconds:7.1f} us CPU a request, p99 {case.p99_milliseconds:6.1f} ms"
        spread = f"({case.lowest_ratio:.2f} to {case.highest_ratio:.2f})"
        print(f"{case.name:35} {spent}: {case.ratio:.2f} of bare {spread}, p99 {case.p99_factor:.1f}x")


if __name__ == "__main__":
    main()
