"""docs/security.md and docs/asvs.md: every threat and requirement has a row that names real tests."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.asvs import PAGE, STATES, items, page

ROOT = Path(__file__).parent.parent
THREATS = [f"T{number}" for number in range(1, 38)]
"""The threats of the threat model."""
NAMED = re.compile(r"`(test_\w+\*?)`|\b(test_\w+)\b")
FILES = re.compile(r"\b((?:tests|storage|gateway|docs)/[\w/]+\.(?:py|md))")


def functions() -> Iterator[tuple[str, str]]:
    """Yield every test with its file, except the rules' tests, which use T1 to T10 for rules."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name, path.name


KNOWN: Mapping[str, str] = dict(functions())


def shown(threat: str) -> list[str]:
    """Return the tests that carry a threat's id."""
    own = re.compile(rf"test_(?:T\d+_)*{threat}_")
    rules = ("test_rules_", "test_pages_links")
    return [name for name, file in KNOWN.items() if own.match(name) and not file.startswith(rules)]


def rows() -> Mapping[str, str]:
    """Return the rows of the table of threats, by id."""
    found: dict[str, str] = {}
    for line in (ROOT / "docs" / "security.md").read_text().splitlines():
        cells = line.split("|")
        if line.startswith("| T") and len(cells) > 4:
            found |= dict.fromkeys(re.findall(r"T\d+", cells[1]), line)
    return found


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_is_shown_by_a_test_that_carries_its_id(threat: str) -> None:
    assert shown(threat) and threat in rows()


def test_what_the_page_names_exists() -> None:
    named = [first or second for first, second in NAMED.findall((ROOT / "docs" / "security.md").read_text())]
    modules = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    missing = [name for name in named if name.rstrip("*") not in modules and not _there(name)]
    assert len(named) > 40 and not missing


def _there(name: str) -> bool:
    return any(each.startswith(name[:-1]) for each in KNOWN) if name.endswith("*") else name in KNOWN


def test_there_are_two_hundred_and_fifty_three_requirements() -> None:
    found = list(items())
    assert len({item.number for item in found}) == len(found) == 253
    assert sum(item.level == 1 for item in found) == 70


def test_each_requirement_has_a_state_and_a_test_or_a_reason() -> None:
    for item in items():
        assert item.state in STATES and len(item.shown) > 3
        for name in re.findall(r"\btest_\w+\b", item.shown):
            assert name in KNOWN or (ROOT / "tests" / f"{name}.py").exists(), item
        assert all((ROOT / file).exists() for file in FILES.findall(item.shown)), item


def test_the_page_of_requirements_is_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.asvs"
