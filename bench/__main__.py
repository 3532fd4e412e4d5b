"""Benchmark: subscribers' journeys on every channel against a bare aiohttp handler, now and the release before.

Run: python -m bench [--quick] [--cases menus,bill] [--release 0.3.0]. Writes JSON and a plot to bench/results
and prints the table. `--tree FOLDER --release 0.2.0` measures a source tree in its own environment.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.cases import CASES
from bench.comparison import (
    CaseFigures,
    RoundPlan,
    find_store_urls,
    measure_cases,
    report_left_out,
    start_compared,
)
from bench.instructions import CountedRatios, count_cases, is_valgrind_missing
from bench.other_figures import OtherFigure, measure_others
from bench.report import describe_runs, format_cases, format_others
from bench.results import RESULTS, UNRELEASED, BenchResults, find_previous, read_commit, write_results
from bench.servers import ROOT
from tests.support.server_processes import ProgramMissing

STORES = ("memory", "redis")
FULL_PLAN, QUICK_PLAN = RoundPlan(5, 1.5, (32, 256)), RoundPlan(1, 0.2, (8,))


def main() -> None:
    """Measure, write the results and print the tables."""
    args = _parse_arguments()
    quick, tree = args.quick, args.tree.resolve()
    cases, plan = [CASES[key]() for key in args.cases.split(",")], _read_plan(args)
    with find_store_urls(args.stores.split(",")) as urls:
        counted = {} if quick or is_valgrind_missing() else count_cases(cases, urls, args.journeys, tree)
        with start_compared(urls, tree) as servers:
            figures = add_instructions(measure_cases(servers, cases, plan), counted)
    others = () if quick or args.no_others or tree != ROOT else _measure_others()
    commit = read_commit(tree)
    results = BenchResults(args.release, commit, plan.rounds, plan.seconds, tuple(figures), others)
    for path in write_results(results, args.results):
        print(path)
    _print_tables(results, args.results)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--cases", default=",".join(CASES), help="any of them")
    parser.add_argument("--stores", default=",".join(STORES), help="where sessions are")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="length of each load of a round")
    parser.add_argument(
        "--journeys", type=int, default=60, help="journeys of a case whose instructions are counted"
    )
    parser.add_argument("--connections", default="", help="numbers of connections: 32,256")
    parser.add_argument("--quick", action="store_true", help="one short round, no instructions, nothing else")
    parser.add_argument("--no-others", action="store_true", help="only the cases")
    parser.add_argument("--tree", type=Path, default=ROOT, help="source tree to measure, with its .venv")
    parser.add_argument("--release", default=UNRELEASED, help="names the results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


def _read_plan(args: argparse.Namespace) -> RoundPlan:
    usual = QUICK_PLAN if args.quick else FULL_PLAN
    connections = [int(each) for each in args.connections.split(",") if each]
    return RoundPlan(
        args.rounds or usual.rounds, args.seconds or usual.seconds, connections or usual.connections
    )


def add_instructions(figures: Sequence[CaseFigures], counted: CountedRatios) -> list[CaseFigures]:
    """Return the figures with the instructions counted for the same case and place of sessions."""
    places: Mapping[tuple[str, str], tuple[float | None, float | None]] = counted
    none = (None, None)
    return [
        replace(each, instructions=spent, instruction_ratio=ratio)
        for each in figures
        for spent, ratio in [places.get((each.case, each.store), none)]
    ]


def _measure_others() -> tuple[OtherFigure, ...]:
    try:
        return measure_others()
    except ProgramMissing as missing:
        report_left_out("outbox, notices, start-up and growth", f"{missing} is not installed")
        return ()


def _print_tables(results: BenchResults, folder: Path) -> None:
    before = find_previous(results.release, folder)
    print(describe_runs(results, before))
    print("\n".join(format_cases(results, before)))
    print("\n".join(format_others(results, before)))


if __name__ == "__main__":
    main()
