"""View model of a bill in one language, the same for the HTML page and the PDF."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from flows.domain.records import Bill, BillLine
from flows.selfcare.invoice import shown
from gateway.pages.languages import RUBRICS
from gateway.pages.page_request import Visit
from menus.model.facts import Fact, Money, Rows, Text

Row = tuple[str, str]
"""A label and its value, plain text."""
FACTS = ("line", "bill_number", "total", "tax", "remaining", "due", "state")


@dataclass(frozen=True, slots=True)
class Statement:
    """One bill as texts."""

    operator: str
    """The operator's display name."""
    language: str
    title: str
    number: str
    """The bill's own number."""
    rows: tuple[Row, ...] = field(repr=False)
    detail_title: str
    head: Row
    detail: tuple[Row, ...] = field(repr=False)


def statement(visit: Visit, bill: Bill, lines: Sequence[BillLine], msisdn: str) -> Statement:
    """Build the bill's texts in the visitor's language, with the phone number masked."""
    facts = {**shown(bill, msisdn), "bill_number": Text(bill.number)}
    return Statement(
        operator=visit.menu.form.title,
        language=visit.language,
        title=f"{visit.said('page.bill_title')} {_worded(visit, facts['month'])}",
        number=bill.number,
        rows=tuple((visit.said(f"page.{name}"), _worded(visit, facts[name])) for name in FACTS),
        detail_title=visit.said("page.detail"),
        head=(visit.said("page.rubric"), visit.said("page.amount")),
        detail=tuple(_detail(visit, lines)),
    )


def _worded(visit: Visit, fact: Fact | Rows) -> str:
    if isinstance(fact, Rows):
        raise TypeError("a bill's facts are no lists")
    return visit.fact(fact)


def _detail(visit: Visit, lines: Sequence[BillLine]) -> Iterator[Row]:
    """Yield the amounts by rubric; rubrics without a name on the page are summed up at the end."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.rubric if line.rubric in RUBRICS else "other"] += line.amount
    for rubric in (*RUBRICS, "other"):
        if sums.get(rubric):
            yield visit.said(f"page.rubric_{rubric}"), visit.fact(Money(sums[rubric]))
