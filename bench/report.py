"""The benchmark's tables: now and the release before, as Markdown; the documents quote them.

Run: python -m bench.report. Writes the tables of the newest results into the documents that quote them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparison import CaseFigures
from bench.other_figures import OtherFigure
from bench.results import BenchResults, find_previous, find_results, read_results
from bench.servers import ROOT

PERFORMANCE, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
NO_FIGURE = ""
CASE_COLUMNS = (
    "case",
    "sessions",
    "connections",
    "instructions: of bare",
    "before",
    "time: of bare (lowest to highest round)",
    "before",
    "p99 by bare's",
    "before",
)
Row = Sequence[str]


def describe_runs(results: BenchResults, before: BenchResults | None) -> str:
    """Return which releases and commits the columns are of, and how much was measured."""
    now, *old = (
        f"{each.release} (commit {each.commit}, rounds: {each.rounds} of {each.seconds:g} s)"
        for each in (results, before)
        if each
    )
    return f"Now: {now}; before: {''.join(old) or 'nothing'}."


def format_cases(results: BenchResults, before: BenchResults | None) -> list[str]:
    """Return the table of ratios, a line each; columns `before` are empty where that release has no figure."""
    rows = [_case_row(case, before.find_case(case) if before else None) for case in results.cases]
    return format_table([CASE_COLUMNS, *rows])


def _case_row(case: CaseFigures, old: CaseFigures | None) -> Row:
    spread = f"{case.ratio:.2f} ({case.lowest_ratio:.2f} to {case.highest_ratio:.2f})"
    return (
        case.name,
        case.store,
        str(case.connections),
        _format_ratio(case.instruction_ratio),
        _format_ratio(old.instruction_ratio if old else None),
        spread,
        _format_ratio(old.ratio if old else None),
        f"{case.p99_factor:.1f}x",
        f"{old.p99_factor:.1f}x" if old else NO_FIGURE,
    )


def _format_ratio(ratio: float | None) -> str:
    return NO_FIGURE if ratio is None else f"{ratio:.2f}"


def format_others(results: BenchResults, before: BenchResults | None) -> list[str]:
    """Return the table of the figures that are no ratios, a line each."""
    if not results.others:
        return ["Not measured in this run."]
    rows = [_other_row(each, before.find_other(each) if before else None) for each in results.others]
    return format_table([("measured", "now", "before", "unit"), *rows])


def _other_row(figure: OtherFigure, old: OtherFigure | None) -> Row:
    return figure.name, _format_value(figure.value), _format_value(old.value) if old else NO_FIGURE, figure.unit


def _format_value(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def format_table(rows: Sequence[Row]) -> list[str]:
    """Return a Markdown table whose columns are aligned; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head, *rest = (f"| {line} |" for line in lines)
    return [head, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *rest]


def format_extract(results: BenchResults, before: BenchResults | None) -> list[str]:
    """Return a sentence for the README: a menu step by instructions, now and before."""
    old = before.instruction_ratios() if before else {}
    figures = [
        f"{ratio:.2f} with sessions in {store.replace('redis', 'Redis')}"
        + (f" ({old[case, store][1]:.2f} in {before.release})" if before and (case, store) in old else "")
        for (case, store), (_, ratio) in results.instruction_ratios().items()
        if case == "menus"
    ]
    if not figures:
        return ["How many instructions a menu step takes was not counted in the last run of `make bench`."]
    return [f"A menu step runs at this share of bare aiohttp, by instructions: {', '.join(figures)}."]


def quoted_blocks(results: BenchResults, before: BenchResults | None) -> Mapping[Path, Mapping[str, list[str]]]:
    """Return what each document quotes, by the name of the block."""
    cases = [describe_runs(results, before), "", *format_cases(results, before)]
    tables = {"cases": cases, "others": format_others(results, before)}
    return {PERFORMANCE: tables, README: {"extract": format_extract(results, before)}}


def replace_block(text: str, name: str, lines: Sequence[str]) -> str:
    """Return a document with new lines between its marks `bench NAME` and `end`; ValueError without them."""
    pattern = rf"(<!-- bench {name} -->\n).*?(<!-- end -->)"
    changed, count = re.subn(pattern, lambda found: found[1] + "\n".join([*lines, found[2]]), text, flags=re.S)
    if count != 1:
        raise ValueError(f"no block `bench {name}`")
    return changed


def quote_newest() -> Mapping[Path, str]:
    """Return the documents as they quote the newest results."""
    results = read_results(find_results()[0])
    documents = {}
    for path, blocks in quoted_blocks(results, find_previous(results.release)).items():
        text = path.read_text(encoding="utf-8")
        for name, lines in blocks.items():
            text = replace_block(text, name, lines)
        documents[path] = text
    return documents


def main() -> None:
    """Write the newest results into the documents."""
    for path, text in quote_newest().items():
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
