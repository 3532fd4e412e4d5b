"""The benchmark's table: a row for each case, old beside new, and documents that quote it word for word."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.__main__ import add_instructions
from bench.comparison import CaseFigures
from bench.instructions import require_no_loss
from bench.other_figures import OtherFigure
from bench.report import describe_runs, format_cases, format_extract, format_others, quote_newest, replace_block
from bench.results import (
    BenchResults,
    find_previous,
    find_results,
    read_results,
    write_results,
)

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
MENUS = CaseFigures("menus", "menus", "memory", 32, 150.0, 6.0, 0.5, 0.4, 0.6, 1.5, 650_000.0, 0.512)
BILL = replace(MENUS, case="bill", name="bill <all>", ratio=0.2)
NEW = BenchResults("0.3.0", "abc", 5, 1.5, (MENUS, BILL), (OtherFigure("rows", 12345.6, "rows/s"),))
OLD = BenchResults("0.2.0", "def", 5, 1.5, (replace(MENUS, ratio=0.3, instruction_ratio=None),))


@pytest.mark.alone
def test_a_quick_run_measures_every_channel_and_writes_it(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "bench",
        "--quick",
        "--cases",
        "menus,sms,voice,page",
        "--stores",
        "memory",
    ]
    done = subprocess.run(
        [*command, "--results", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = read_results(tmp_path / "steps-unreleased.json")
    assert [each.case for each in results.cases] == ["menus", "sms", "voice", "page"]
    assert all(each.ratio > 0 and each.p99_factor > 0 for each in results.cases)
    assert "\n".join(format_cases(results, None)) in done.stdout


def test_the_table_has_old_beside_new_and_nothing_where_nothing_was_measured() -> None:
    _, _, menus, bill = format_cases(NEW, OLD)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in (menus, bill)]
    assert cells[0][2:] == ["32", "0.51", "", "0.50 (0.40 to 0.60)", "0.30", "1.5x", "1.5x"]
    assert cells[1][4:] == ["", "0.20 (0.40 to 0.60)", "", "1.5x", ""]
    assert "12,346" in format_others(NEW, OLD)[2]


def test_a_table_says_what_was_measured_at_which_commit() -> None:
    now = "Now: 0.3.0 (commit abc, rounds: 5 of 1.5 s)"
    assert describe_runs(NEW, None) == f"{now}; before: nothing."
    assert describe_runs(NEW, OLD) == f"{now}; before: 0.2.0 (commit def, rounds: 5 of 1.5 s)."


def test_the_extract_names_the_release_before_only_where_it_was_counted() -> None:
    assert format_extract(NEW, OLD)[0].endswith("0.51 with sessions in memory.")
    counted = replace(OLD, cases=(replace(MENUS, instruction_ratio=0.4),))
    assert format_extract(NEW, counted)[0].endswith("0.51 with sessions in memory (0.40 in 0.2.0).")


def test_results_are_read_as_written_and_plotted_with_the_release_before(tmp_path: Path) -> None:
    for each in (OLD, NEW):
        figures, plot = write_results(each, tmp_path)
        assert read_results(figures) == each
    drawn = ElementTree.fromstring(plot.read_text())
    bars = [path for path in drawn.findall(f"{SVG}path") if path.get("fill")]
    assert [bar.get("fill") for bar in bars] == ["steelblue", "lightgray", "steelblue"]


def test_the_release_before_is_the_next_lower_one(tmp_path: Path) -> None:
    for release in ("0.9.0", "0.10.0", "unreleased"):
        write_results(replace(NEW, release=release), tmp_path)
    names = [path.stem for path in find_results(tmp_path)]
    assert names == ["steps-unreleased", "steps-0.10.0", "steps-0.9.0"]
    before = [find_previous(release, tmp_path) for release in ("unreleased", "0.10.0", "0.9.0")]
    assert [each and each.release for each in before] == ["0.10.0", "0.9.0", None]


def test_instructions_are_added_where_they_were_counted() -> None:
    counted = add_instructions([replace(MENUS, instructions=None), BILL], {("menus", "memory"): (7.0, 0.7)})
    assert [(each.instructions, each.instruction_ratio) for each in counted] == [(7.0, 0.7), (None, None)]


def test_a_lost_twentieth_of_the_instructions_fails_the_check() -> None:
    known = {("menus", "memory"): (650.0, 0.50)}
    require_no_loss({("menus", "memory"): (650.0, 0.476), ("sms", "memory"): (1.0, 0.1)}, known)
    with pytest.raises(SystemExit, match=r"menus memory: 0.474 of bare, at least 0.475"):
        require_no_loss({("menus", "memory"): (650.0, 0.474)}, known)


def test_documents_quote_the_newest_results() -> None:
    for path, text in quote_newest().items():
        assert path.read_text() == text, f"{path.name}: python -m bench.report"


def test_a_document_without_the_block_is_named() -> None:
    with pytest.raises(ValueError, match="no block `bench cases`"):
        replace_block("nothing", "cases", [])
