"""docs/security.md and docs/asvs.md: every threat and requirement has a row that names real tests."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.security.asvs_table import PAGE_PATH, STATES, load_requirements, render_page

ROOT = Path(__file__).parents[2]
THREATS = [f"T{number}" for number in range(1, 38)]
"""The threats of the threat model."""
TEST_IN_TEXT = re.compile(r"`(test_\w+\*?)`|\b(test_\w+)\b")
FILE_IN_TEXT = re.compile(r"\b((?:tests|storage|gateway|docs)/[\w/]+\.(?:py|md))")


@cache
def file_by_test() -> Mapping[str, str]:
    """Return the file of every test."""
    return dict(_all_test_functions())


def _all_test_functions() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name, str(path.relative_to(ROOT / "tests"))


def threat_tests(threat: str) -> list[str]:
    """Return the tests that carry a threat's id."""
    own = re.compile(rf"test_(?:T\d+_)*{threat}_")
    rules = ("rules/", "gateway/pages/test_magic_links")
    return [name for name, file in file_by_test().items() if own.match(name) and not file.startswith(rules)]


def threat_rows() -> Mapping[str, str]:
    """Return the rows of the table of threats, by id."""
    found: dict[str, str] = {}
    for line in (ROOT / "docs" / "security.md").read_text().splitlines():
        cells = line.split("|")
        if line.startswith("| T") and len(cells) > 4:
            found |= dict.fromkeys(re.findall(r"T\d+", cells[1]), line)
    return found


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_is_shown_by_a_test_that_carries_its_id(threat: str) -> None:
    assert threat_tests(threat) and threat in threat_rows()


def test_what_the_page_names_exists() -> None:
    named = [
        first or second for first, second in TEST_IN_TEXT.findall((ROOT / "docs" / "security.md").read_text())
    ]
    modules = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    missing = [name for name in named if name.rstrip("*") not in modules and not _exists(name)]
    assert len(named) > 40 and not missing


def _exists(name: str) -> bool:
    return (
        any(each.startswith(name[:-1]) for each in file_by_test())
        if name.endswith("*")
        else name in file_by_test()
    )


def test_there_are_two_hundred_and_fifty_three_requirements() -> None:
    found = list(load_requirements())
    assert len({item.number for item in found}) == len(found) == 253
    assert sum(item.level == 1 for item in found) == 70


def test_each_requirement_has_a_state_and_a_test_or_a_reason() -> None:
    for item in load_requirements():
        assert item.state in STATES and len(item.evidence) > 3
        for name in re.findall(r"\btest_\w+\b", item.evidence):
            assert name in file_by_test() or any((ROOT / "tests").rglob(f"{name}.py")), item
        assert all((ROOT / file).exists() for file in FILE_IN_TEXT.findall(item.evidence)), item


def test_the_page_of_requirements_is_what_the_table_says() -> None:
    assert PAGE_PATH.read_text() == render_page(), "run: python -m tests.security.asvs_table"
