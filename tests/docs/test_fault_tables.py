"""Tables of faults in the documents: every row names tests that exist."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = [
    ("billing.md", "## 8. Faults of backends", 30),
    ("running.md", "## What a server may do wrong", 30),
]
"""Document, heading and least number of rows."""


def fault_rows(page: str, heading: str) -> list[str]:
    """Return the rows of the table under a heading, without its head."""
    section = (ROOT / "docs" / page).read_text().split(heading)[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@cache
def defined_tests() -> frozenset[str]:
    """Return the names of all tests."""
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", sources, re.MULTILINE))


@pytest.mark.parametrize(("page", "heading", "least"), TABLES)
def test_every_fault_names_tests_that_exist(page: str, heading: str, least: int) -> None:
    named = [re.findall(r"`(test_[a-zA-Z0-9_]+)`", row.rsplit("|", 2)[1]) for row in fault_rows(page, heading)]
    assert len(named) >= least and all(named)
    assert [each for row in named for each in row if each not in defined_tests()] == []
