"""Write docs/asvs.md, the OWASP ASVS 5.0 compliance table: `python -m tests.asvs`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "asvs.md"
STATES = ("met", "deviates", "open", "operator", "n/a")
COLUMNS = "| item | level | about | state | shown by, or why |\n|---|---|---|---|---|\n"
HEAD = """# OWASP ASVS 5.0, levels 1 and 2, item by item

Every requirement of levels 1 and 2 by its number in the standard (whose own words are at <https://owasp.org/ASVS>),
what it is about in ours, and where we stand: `met`, shown by a test or by what is said; `deviates`, on purpose;
`open`, still to be done; `operator`, for whoever runs the gateway; `n/a`, nothing of the kind is here. Nobody
outside has looked. Written from tests/asvs.tsv by `python -m tests.asvs`.

"""


@dataclass(frozen=True)
class Item:
    """One ASVS requirement with its state and the evidence for it."""

    number: str
    level: int
    about: str
    state: str
    shown: str

    @property
    def order(self) -> tuple[int, ...]:
        return tuple(map(int, self.number.split(".")))


def items() -> Iterator[Item]:
    """Yield every requirement; a line of the table may name several requirements with the same state."""
    for line in (ROOT / "tests" / "asvs.tsv").read_text().splitlines():
        numbers, about, state, shown = line.split("\t")
        for each in numbers.split():
            number, _, level = each.partition(":")
            yield Item(number, int(level), about, state, shown)


def page() -> str:
    """Return the whole page as Markdown."""
    found = sorted(items(), key=lambda item: item.order)
    counts = Counter(item.state for item in found)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES)
    rows = "".join(
        f"| {item.number} | {item.level} | {item.about} | {item.state} | {item.shown} |\n" for item in found
    )
    return f"{HEAD}{len(found)} items: {told}.\n\n{COLUMNS}{rows}"


if __name__ == "__main__":
    PAGE.write_text(page())
