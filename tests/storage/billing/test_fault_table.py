"""The table of faults in docs/billing.md: every row names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def fault_rows() -> list[str]:
    """Return the rows of the table, without its head."""
    section = (ROOT / "docs" / "billing.md").read_text().split("## 8. Faults of backends")[1]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_fault_a_back_end_may_have_names_its_test() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = [re.findall(r"`(test_[a-zA-Z0-9_]+)`", row.rsplit("|", 2)[1]) for row in fault_rows()]
    assert len(named) > 20 and all(named)
    assert [each for row in named for each in row if f"def {each}(" not in sources] == []
