"""Instructions per request by callgrind: immune to whatever else the machine does.

Run: python -m bench.instructions [--journeys 60] [--cases menus,bill] [--check]. Needs valgrind (a Debian
package). User-space instructions of the server only. `--check` compares the ratios with the newest figures of
bench/results and fails below them by more than 5 %.
"""

import argparse
import asyncio
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.cases import CASES, BenchCase, bare_journey
from bench.comparison import find_store_urls, report_left_out
from bench.measure import KNOWN_CALLERS, MENU_STEPS, WEBHOOK_PATH, require_right_answers
from bench.results import find_results, read_results
from bench.servers import PATIENCE_VARIABLE, ROOT, run_server_process, server_command

CONNECTIONS = 8
WARM_UP_JOURNEYS = 16
SETTLING_JOURNEYS = 5
SETTLING_SECONDS = 7.0
"""Pause before and after the journeys that are counted, in which what is written behind is written."""
FIRST_JOURNEY = 1_000_000
"""Number of the first counted journey: no journey of the timed rounds has it."""
CHECKED_CASES = "menus"
MOST_LOSS = 0.05
"""Part of a ratio that may be lost before `--check` fails."""
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)
JourneyNumbers = Mapping[str, tuple[load.Journey, Iterator[int]]]
"""Journeys by name, and the numbers they are walked with."""
CountedRatios = dict[tuple[str, str], tuple[float, float]]
"""By case and place of sessions: instructions a request, and the bare server's by them."""


@dataclass(frozen=True, slots=True)
class CountedServer:
    """A server under callgrind."""

    pid: int
    port: int
    folder: Path
    """Where callgrind writes its counts."""
    tree: Path = ROOT
    """The source tree it runs."""

    def begin_counting(self) -> None:
        """Begin to count, and let the code be translated for it by turns that no deadline waits for.

        The server stands still for seconds meanwhile, for longer than an action may take.
        """
        self._control("-i", "on")
        journey = load.ussd_journey(WEBHOOK_PATH, MENU_STEPS, KNOWN_CALLERS)
        some = itertools.islice(numbers_of_few_callers(2 * FIRST_JOURNEY), SETTLING_JOURNEYS)
        asyncio.run(load.run_journeys(self.port, journey, some, 1))

    async def count_instructions(self, journey: load.Journey, numbers: Iterator[int], journeys: int) -> float:
        """Return the instructions a request of so many journeys.

        Opening the connections, and a few journeys before, are not counted.
        """
        async with load.open_connections(self.port, CONNECTIONS) as opened:
            await _walk_journeys(opened, journey, itertools.islice(numbers, WARM_UP_JOURNEYS))
            await asyncio.sleep(SETTLING_SECONDS)
            self._control("-z")
            answers = await _walk_journeys(opened, journey, itertools.islice(numbers, journeys))
            await asyncio.sleep(SETTLING_SECONDS)
            return self._dump_counts() / answers

    def _control(self, *words: str) -> None:
        subprocess.run(["callgrind_control", *words, str(self.pid)], check=True, capture_output=True)

    def _dump_counts(self) -> int:
        """Return what was counted since the last dump: a dump begins at zero."""
        before = set(self.folder.glob("counts*"))
        self._control("-d")
        dumps = set(self.folder.glob("counts*")) - before
        found = (TOTALS.finditer(path.read_text(errors="replace")) for path in dumps)
        return sum(int(each[1]) for totals in found for each in totals)


def numbers_of_few_callers(first: int) -> Iterator[int]:
    """Yield numbers of journeys, each new, by which as few callers as there are uncounted journeys call again.

    All of them are known then. They are twice the connections: a caller who dials while a slow connection is in
    the middle of an earlier journey of theirs would be offered to continue that.
    """
    return (first + KNOWN_CALLERS * number + number % WARM_UP_JOURNEYS for number in itertools.count())


async def _walk_journeys(
    opened: Sequence[load.Connection], journey: load.Journey, numbers: Iterator[int]
) -> int:
    """Walk all numbered journeys; return how many requests they were."""
    tally = await load.walk_connections(opened, journey, numbers, float("inf"))
    require_right_answers(tally)
    return tally.answer_count


def is_valgrind_missing() -> bool:
    """Return whether instructions cannot be counted here, and say so."""
    if shutil.which("valgrind"):
        return False
    report_left_out(
        "instructions, the figures to quote", "valgrind is not installed (Debian's package valgrind)"
    )
    return True


def count_cases(
    cases: Sequence[BenchCase], urls: Mapping[str, str], journeys: int, tree: Path = ROOT
) -> CountedRatios:
    """Return the instructions a request and the ratio of each case, for each place of sessions."""
    kinds = {case.request_kind: bare_journey(case.journey) for case in cases}
    with start_counted_server("bare", "", tree) as server:
        bare = _count_each(server, {kind: (each, itertools.count()) for kind, each in kinds.items()}, journeys)
    counted: CountedRatios = {}
    for store, url in urls.items():
        ready = {case.key: case for case in cases if store in case.stores and case.request_kind in bare}
        walks = {key: (case.journey, numbers_of_few_callers(FIRST_JOURNEY)) for key, case in ready.items()}
        for key, spent in _count_store(walks, url, journeys, tree).items():
            counted[key, store] = (spent, bare[ready[key].request_kind] / spent)
    return counted


def _count_store(walks: JourneyNumbers, redis_url: str, journeys: int, tree: Path) -> dict[str, float]:
    """Return the instructions a request of each journey by name; none of another tree that logged errors."""
    try:
        with start_counted_server("ours", redis_url, tree) as server:
            return _count_each(server, walks, journeys)
    except SystemExit as wrong:
        if tree == ROOT:
            raise
        report_left_out(f"instructions with {redis_url or 'sessions in memory'}", str(wrong))
        return {}


def _count_each(server: CountedServer, walks: JourneyNumbers, journeys: int) -> dict[str, float]:
    """Return the instructions a request of each journey, by its name.

    A wrong answer ends the run; of another release's tree it leaves the journey out, which is said.
    """
    counted = {}
    for name, (journey, numbers) in walks.items():
        try:
            counted[name] = asyncio.run(server.count_instructions(journey, numbers, journeys))
            print(f"{name}: {counted[name] / 1000:.1f} k instructions a request", file=sys.stderr, flush=True)
        except SystemExit as wrong:
            if server.tree == ROOT:
                raise
            report_left_out(f"instructions of {name}", str(wrong))
    return counted


@contextmanager
def start_counted_server(which: str, redis_url: str, tree: Path = ROOT) -> Iterator[CountedServer]:
    """Start a server under callgrind, counting."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/counts"]
        server = [*server_command(tree), which, name, redis_url, "0"]
        command = [*tool, f"--log-file={folder}/valgrind", *server]
        patience = {"PYTHONHASHSEED": "0", PATIENCE_VARIABLE: "60"}
        with run_server_process(command, None, tree, folder / "log", patience) as (pid, port):
            counted = CountedServer(pid, port, folder, tree)
            counted.begin_counting()
            yield counted


def require_no_loss(counted: CountedRatios, known: CountedRatios) -> None:
    """Raise SystemExit when a ratio is more than 5 % below the known one."""
    for place, (_, ratio) in counted.items():
        if place in known and ratio < (least := known[place][1] * (1 - MOST_LOSS)):
            raise SystemExit(f"{' '.join(place)}: {ratio:.3f} of bare, at least {least:.3f} was expected")


def main() -> None:
    """Count the instructions of both servers and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions")
    parser.add_argument("--journeys", type=int, default=60, help="journeys to count of each case")
    parser.add_argument("--cases", default=CHECKED_CASES, help=f"any of {','.join(CASES)}")
    parser.add_argument("--stores", default="memory,redis", help="where sessions are")
    parser.add_argument("--check", action="store_true", help="fail 5 %% below the newest figures")
    args = parser.parse_args()
    if is_valgrind_missing():
        raise SystemExit(1)
    with find_store_urls(args.stores.split(",")) as urls:
        counted = count_cases([CASES[key]() for key in args.cases.split(",")], urls, args.journeys)
    for (case, store), (spent, ratio) in counted.items():
        print(f"{case:6} {store:7} {spent / 1000:7.1f} k instructions a request: {ratio:.3f} of bare")
    if args.check:
        require_no_loss(counted, read_results(find_results()[0]).instruction_ratios())


if __name__ == "__main__":
    main()
