"""Tests that pages name, such as those of an acceptance table, exist: a renamed test takes its page along."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"`(test_\w+)`")
NO_TESTS = frozenset({"test_mode"})
"""Names that begin like a test's: a setting of payments."""
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def defined_tests() -> frozenset[str]:
    return frozenset(name for path in (ROOT / "tests").rglob("*.py") for name in names_in(path))


def names_in(path: Path) -> Iterator[str]:
    """Yield the tests of a file, and its own name."""
    yield path.stem
    yield from DEFINED.findall(path.read_text(encoding="utf-8"))


def missing_tests(text: str, defined: frozenset[str]) -> set[str]:
    return set(NAMED.findall(text)) - defined - NO_TESTS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(path: Path, defined_tests: frozenset[str]) -> None:
    assert missing_tests(path.read_text(encoding="utf-8"), defined_tests) == set()


def test_a_test_that_is_not_there_is_noticed(defined_tests: frozenset[str]) -> None:
    text = "`test_every_test_that_a_page_names_exists`, `test_this_one_is_nowhere`"
    assert missing_tests(text, defined_tests) == {"test_this_one_is_nowhere"}
