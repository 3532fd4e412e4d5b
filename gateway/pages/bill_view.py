"""View model of a bill in one language, the same for the HTML page and the PDF."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from flows.domain.records import Bill, BillLine
from flows.selfcare.invoice import bill_facts, charges_by_rubric
from gateway.pages.page_request import PageRequest
from menus.model.facts import Fact, Rows, Text, TextRef

BillRow = tuple[str, str]
"""A label and its value, plain text."""
SUMMARY_ROWS = ("seller", "customer", "period", "issued", "net")
"""Rows a summary has besides those of the page: its text names."""
FACT_NAMES = ("line", "bill_number", "total", "tax", "remaining", "due", "state")


@dataclass(frozen=True, slots=True)
class Statement:
    """One bill as texts."""

    operator: str
    """The operator's display name."""
    language: str
    title: str
    """The bill by its month: true for as long as a document is kept."""
    number: str
    """The bill's own number."""
    rows: tuple[BillRow, ...] = field(repr=False)
    detail_title: str
    detail_header: BillRow
    detail_rows: tuple[BillRow, ...] = field(repr=False)
    is_latest: bool = False
    """Whether billing has no newer bill; False as well where that was not asked."""
    notices: tuple[str, ...] = ()
    """Said above the title: that this is a duplicate, or not the bill itself."""


def build_statement(request: PageRequest, bill: Bill, lines: Sequence[BillLine], msisdn: str) -> Statement:
    """Build the bill's texts in the visitor's language, with the phone number masked."""
    facts = {**bill_facts(bill, msisdn), "bill_number": Text(bill.number)}
    return Statement(
        operator=request.menu.config.title,
        language=request.language,
        title=request.plain_text("page.bill_of_month", facts),
        number=bill.number,
        rows=tuple(
            (request.plain_text(f"page.{name}"), _format_fact(request, facts[name])) for name in FACT_NAMES
        ),
        detail_title=request.plain_text("page.detail"),
        detail_header=(request.plain_text("page.rubric"), request.plain_text("page.amount")),
        detail_rows=tuple(_detail_rows(request, bill, lines)),
    )


def as_summary(
    request: PageRequest, statement: Statement, bill: Bill, customer: str, *, is_duplicate: bool = False
) -> Statement:
    """Return the statement marked as a summary without fiscal value, with seller, customer and period.

    The customer's number is masked: a printed page shows no account.
    """
    facts = bill_facts(bill, "")
    dates = (_format_fact(request, facts[name]) for name in ("month", "issued", "net"))
    about = zip(SUMMARY_ROWS, (request.menu.config.title, f"***{customer[-3:]}", *dates), strict=True)
    marks = ("page.duplicate", "page.summary") if is_duplicate else ("page.summary",)
    return replace(
        statement,
        rows=(*((request.plain_text(f"page.{name}"), text) for name, text in about), *statement.rows),
        notices=tuple(request.plain_text(name) for name in marks),
    )


def _format_fact(request: PageRequest, fact: Fact | Rows) -> str:
    if isinstance(fact, Rows):
        raise TypeError("a bill's facts are no lists")
    return request.format_fact(fact)


def _detail_rows(request: PageRequest, bill: Bill, lines: Sequence[BillLine]) -> Iterator[BillRow]:
    """Yield the amounts by rubric, as on the phone: they add up to the bill."""
    charged = charges_by_rubric(lines, bill.total)["charged"]
    for rubric, charge in charged.rows if isinstance(charged, Rows) else ():
        if isinstance(rubric, TextRef):
            yield request.plain_text(rubric.name), request.format_fact(charge)
