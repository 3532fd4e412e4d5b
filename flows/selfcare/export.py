"""The export of a bill over several billing centres as CSV: asked for now, made and linked later (B4, B5)."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Bill, BillLine
from flows.selfcare.invoice import published
from flows.services import file_links
from flows.services.file_links import File
from menus.model.facts import Count, Rows, Text

HEAD = ("bill", "issued", "centre", "user", "rubric", "label", "amount", "currency")
FORMULA = tuple("=+-@\t\r\n'＝＋－＠")
"""How a cell begins that a spreadsheet might run, or that we have quoted ourselves."""
_AMOUNT = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
MOST_ROOTS = 9


async def roots(ask: Ask) -> Outcome:
    """The roots ("radicaux") of the account's billing centres, to choose one (B4)."""
    found = await _newest(ask)
    lines = await ask.world.billing.lines(found.account, found.id) if found else []
    names = sorted({root(line.centre) for line in lines if line.centre})
    rows = tuple((Text(name),) for name in names[:MOST_ROOTS])
    return Outcome("ok" if rows else "none", {"roots": Rows(("root",), rows)})


async def build(ask: Ask) -> Outcome:
    """See that there is something to export, then text the link to it. Runs as an errand.

    The link holds what to export; its bytes are made again from the bill when it is opened.
    """
    wanted, rows = await _wanted(ask)
    if not rows:
        return Outcome("none")
    change = file_links.by_sms(ask, wanted, "export.notice", {"lines": Count(len(rows))})
    return Outcome(await ask.world.ledger.commit(change))


async def found(ask: Ask) -> Outcome:
    """Is there anything to export? Asked before a link is promised to whoever chose from no list of roots."""
    _, rows = await _wanted(ask)
    return Outcome("ok" if rows else "none")


async def _wanted(ask: Ask) -> tuple[File, list[BillLine]]:
    """What to export of the newest bill, and its lines: none without a bill or with no centre asked for."""
    newest, number, account = await _newest(ask), ask.caller, ask.known().account
    wanted = File("export", account, number, newest.id if newest else "", _root(ask), ask.given)
    return wanted, kept(await ask.world.billing.lines(account, newest.id), wanted) if newest else []


async def _newest(ask: Ask) -> Bill | None:
    visible = published(await ask.world.billing.bills(ask.known().account, 2), ask)
    return visible[0] if visible else None


def _root(ask: Ask) -> str:
    """The root picked, or the one texted; empty means all."""
    picked = ask.facts.get("root")
    return (picked.value if isinstance(picked, Text) else "").upper()


def root(centre: str) -> str:
    """A billing centre's name without its last part: `CF-100` of `CF-100-A`."""
    return centre.rpartition("-")[0] or centre


def kept(lines: Iterable[BillLine], file: File) -> list[BillLine]:
    """The lines of the centres asked for; those without a centre are none of an export's."""
    return [line for line in lines if line.centre and (not file.root or root(line.centre) == file.root)]


def written(bill: Bill, lines: Sequence[BillLine], file: File, currency: str) -> bytes:
    """The export as CSV (RFC 4180, UTF-8): every line, or each centre's rubrics summed."""
    rows = kept(lines, file)
    rows = list(_summed(rows)) if file.level == "totals" else rows
    return table([HEAD, *(_cells(bill, line, currency) for line in rows)])


def table(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows as CSV; no cell is a formula to whatever opens it."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def guarded(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet might run; plain amounts stay numbers."""
    return f"'{cell}" if cell.startswith(FORMULA) and not _AMOUNT.fullmatch(cell) else cell


def _summed(lines: Sequence[BillLine]) -> Iterator[BillLine]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.centre, line.rubric] += line.amount
    for (centre, rubric), amount in sums.items():
        yield BillLine(rubric, "", amount, centre=centre)


def _cells(bill: Bill, line: BillLine, currency: str) -> tuple[str, ...]:
    issued, amount = bill.issued.isoformat(), str(line.amount)
    return bill.number, issued, line.centre, line.user, line.rubric, line.label, amount, currency


ACTIONS = {
    "export.roots": action(roots, "ok none"),
    "export.found": action(found, "ok none"),
    "export.build": action(build, "ok none", later=True),
}
