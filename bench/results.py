"""Results of the benchmark, kept as JSON by release in bench/results."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.bar_plot import Bar, draw_bars
from bench.comparison import CaseFigures
from bench.other_figures import OtherFigure

RESULTS = Path(__file__).parent / "results"
UNRELEASED = "unreleased"
"""Names the figures of a tree that is newer than the last release."""
PREFIX = "steps-"


@dataclass(frozen=True, slots=True)
class BenchResults:
    """Everything one run of the benchmark measured."""

    release: str
    commit: str
    rounds: int
    seconds: float
    cases: tuple[CaseFigures, ...]
    others: tuple[OtherFigure, ...] = ()

    def find_case(self, like: CaseFigures) -> CaseFigures | None:
        """Return the same case with the same place of sessions and number of connections; None without it."""
        place = (like.case, like.store, like.connections)
        found = (each for each in self.cases if (each.case, each.store, each.connections) == place)
        return next(found, None)

    def find_other(self, like: OtherFigure) -> OtherFigure | None:
        """Return the figure of the same name; None without it."""
        return next((each for each in self.others if each.name == like.name), None)

    def instruction_ratios(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Return instructions a request and their ratio, by case and place of sessions, where counted."""
        return {
            (each.case, each.store): (each.instructions, each.instruction_ratio)
            for each in self.cases
            if each.instructions is not None and each.instruction_ratio is not None
        }


def find_results(folder: Path = RESULTS) -> list[Path]:
    """Return the files of all releases, the newest first; what is not released yet is newer than all."""
    return sorted(folder.glob(f"{PREFIX}*.json"), key=_release_order, reverse=True)


def _release_order(path: Path) -> tuple[int, ...]:
    release = path.stem.removeprefix(PREFIX)
    return (1,) if release == UNRELEASED else (0, *map(int, release.split(".")))


def find_previous(release: str, folder: Path = RESULTS) -> "BenchResults | None":
    """Return the results of the release before this one; None when there are none."""
    own = _release_order(Path(f"{PREFIX}{release}.json"))
    older = [path for path in find_results(folder) if _release_order(path) < own]
    return read_results(older[0]) if older else None


def read_results(path: Path) -> BenchResults:
    """Read the results of a release."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return BenchResults(
        **content
        | {
            "cases": tuple(CaseFigures(**each) for each in content["cases"]),
            "others": tuple(OtherFigure(**each) for each in content["others"]),
        }
    )


def write_results(results: BenchResults, folder: Path = RESULTS) -> tuple[Path, Path]:
    """Write the results as JSON and as a plot beside those of the release before; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, plot = (folder / f"{PREFIX}{results.release}.{ending}" for ending in ("json", "svg"))
    figures.write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
    before = find_previous(results.release, folder)
    title = f"Of bare aiohttp, by processor time: {results.release}" + (
        f" and {before.release}" if before else ""
    )
    plot.write_text(draw_bars(title, _build_bars(results, before)), encoding="utf-8")
    return figures, plot


def _build_bars(results: BenchResults, before: BenchResults | None) -> Sequence[Bar]:
    bars = []
    for case in results.cases:
        old = before.find_case(case) if before else None
        name = f"{case.name}, {case.store}, {case.connections}"
        bars.append(Bar(name, case.ratio, case.lowest_ratio, case.highest_ratio, old.ratio if old else None))
    return bars


def read_commit(tree: Path) -> str:
    """Return the commit of a source tree, marked when files differ from it; empty without git."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
