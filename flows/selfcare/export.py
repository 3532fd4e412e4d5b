"""CSV export of a bill over several billing centres, built when its link is opened (B4, B5)."""

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
"""First characters of a cell that a spreadsheet might run as a formula; ' because we quote with it."""
_AMOUNT = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
MOST_ROOTS = 9


async def roots(ask: Ask) -> Outcome:
    """List the roots ("radicaux") of the account's billing centres, to choose one (B4)."""
    newest = await _newest(ask)
    lines = await ask.world.billing.lines(newest.account, newest.id) if newest else []
    names = sorted({root(line.centre) for line in lines if line.centre})
    rows = tuple((Text(name),) for name in names[:MOST_ROOTS])
    return Outcome("ok" if rows else "none", {"roots": Rows(("root",), rows)})


async def build(ask: Ask) -> Outcome:
    """Send the export's link by SMS, or `none` when there is nothing to export. Runs as a deferred step.

    The link holds what to export; the file is built from the bill when the link is opened.
    """
    file, rows = await _wanted(ask)
    if not rows:
        return Outcome("none")
    change = file_links.by_sms(ask, file, "export.notice", {"lines": Count(len(rows))})
    return Outcome(await ask.world.ledger.commit(change))


async def found(ask: Ask) -> Outcome:
    """Check that there is anything to export, before promising a link for a texted root."""
    _, rows = await _wanted(ask)
    return Outcome("ok" if rows else "none")


async def _wanted(ask: Ask) -> tuple[File, list[BillLine]]:
    """Return the file to link to and the newest bill's lines in it; none without a bill or matching centre."""
    newest, number, account = await _newest(ask), ask.caller, ask.known().account
    file = File("export", account, number, newest.id if newest else "", _root(ask), ask.given)
    return file, kept(await ask.world.billing.lines(account, newest.id), file) if newest else []


async def _newest(ask: Ask) -> Bill | None:
    visible = published(await ask.world.billing.bills(ask.known().account, 2), ask)
    return visible[0] if visible else None


def _root(ask: Ask) -> str:
    """Return the root selected or texted, in upper case; empty means all."""
    chosen = ask.facts.get("root")
    return (chosen.value if isinstance(chosen, Text) else "").upper()


def root(centre: str) -> str:
    """Return a billing centre's name without its last part: `CF-100` of `CF-100-A`."""
    return centre.rpartition("-")[0] or centre


def kept(lines: Iterable[BillLine], file: File) -> list[BillLine]:
    """Return the lines of the requested centres; lines without a centre are never exported."""
    return [line for line in lines if line.centre and (not file.root or root(line.centre) == file.root)]


def written(bill: Bill, lines: Sequence[BillLine], file: File, currency: str) -> bytes:
    """Return the export as CSV (RFC 4180, UTF-8): every line, or sums per centre and rubric (`totals`)."""
    rows = kept(lines, file)
    rows = list(_summed(rows)) if file.level == "totals" else rows
    return table([HEAD, *(_cells(bill, line, currency) for line in rows)])


def table(rows: Iterable[Iterable[str]]) -> bytes:
    """Encode rows as CSV with every cell safe from spreadsheet formula injection."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def guarded(cell: str) -> str:
    """Prefix a cell with an apostrophe when a spreadsheet might run it; plain amounts stay numbers."""
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
