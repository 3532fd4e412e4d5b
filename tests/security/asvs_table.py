"""Write docs/asvs.md, the OWASP ASVS 5.0 compliance table: `python -m tests.security.asvs_table`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE_PATH = ROOT / "docs" / "asvs.md"
STATES = ("met", "deviates", "open", "operator", "n/a")
TABLE_HEAD = "| item | level | subject | state | evidence |\n|---|---|---|---|---|\n"
PAGE_HEAD = """# OWASP ASVS 5.0, levels 1 and 2, item by item

Every requirement of levels 1 and 2, by its number in the standard (its text is at <https://owasp.org/ASVS>),
with its subject in a few words, its state, and the evidence: the test that shows it, or the reason.

- `met`: fulfilled, shown by the test or by the reason given
- `deviates`: not fulfilled, on purpose
- `open`: not fulfilled yet
- `operator`: to be fulfilled by the operator's installation
- `n/a`: the gateway has nothing of the kind

This is our own assessment; there was no external audit. The page is generated from tests/security/asvs.tsv by
`python -m tests.security.asvs_table`.

"""


@dataclass(frozen=True)
class AsvsRequirement:
    """One ASVS requirement with its state and the evidence for it."""

    number: str
    level: int
    subject: str
    state: str
    evidence: str

    @property
    def sort_key(self) -> tuple[int, ...]:
        return tuple(map(int, self.number.split(".")))


def load_requirements() -> Iterator[AsvsRequirement]:
    """Yield every requirement; a line of the table may name several requirements with the same state."""
    for line in (ROOT / "tests" / "security" / "asvs.tsv").read_text().splitlines():
        numbers, about, state, shown = line.split("\t")
        for each in numbers.split():
            number, _, level = each.partition(":")
            yield AsvsRequirement(number, int(level), about, state, shown)


def render_page() -> str:
    """Return the whole page as Markdown."""
    found = sorted(load_requirements(), key=lambda item: item.sort_key)
    counts = Counter(item.state for item in found)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES)
    rows = "".join(
        f"| {item.number} | {item.level} | {item.subject} | {item.state} | {item.evidence} |\n"
        for item in found
    )
    return f"{PAGE_HEAD}{len(found)} items: {told}.\n\n{TABLE_HEAD}{rows}"


if __name__ == "__main__":
    PAGE_PATH.write_text(render_page())
