"""CSV export of a bill over several billing centres, built when its link is opened (B4, B5)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Bill, BillLine
from flows.selfcare.csv_format import RAW_FORMAT, CsvFormat, encode_csv
from flows.selfcare.invoice import published_bills
from flows.services import file_links
from flows.services.file_links import LinkedFile
from menus.model.facts import Count, Rows, Text

MAX_ROOTS = 9


async def list_roots(request: ActionRequest) -> Outcome:
    """List the roots ("radicaux") of the account's billing centres, to choose one (B4)."""
    newest = await _newest_bill(request)
    lines = await request.ports.billing.list_bill_lines(newest.account, newest.id) if newest else []
    names = sorted({centre_root(line.centre) for line in lines if line.centre})
    rows = tuple((Text(name),) for name in names[:MAX_ROOTS])
    return Outcome("ok" if rows else "none", {"roots": Rows(("root",), rows)})


async def send_export_link(request: ActionRequest) -> Outcome:
    """Send the export's link by SMS, or `none` when there is nothing to export. Runs as a deferred step.

    The link holds what to export; the file is built from the bill when the link is opened.
    """
    file, rows = await _select_export(request)
    if not rows:
        return Outcome("none")
    change = file_links.link_by_sms(request, file, "export.notice", {"lines": Count(len(rows))})
    return Outcome(await request.ports.ledger.commit(change))


async def check_exportable(request: ActionRequest) -> Outcome:
    """Check that there is anything to export, before promising a link for a texted root."""
    _, rows = await _select_export(request)
    return Outcome("ok" if rows else "none")


async def _select_export(request: ActionRequest) -> tuple[LinkedFile, list[BillLine]]:
    """Return the file to link to and the newest bill's lines in it; none without a bill or matching centre."""
    newest, number, account = await _newest_bill(request), request.caller, request.require_subscriber().account
    file = LinkedFile(
        "export", account, number, newest.id if newest else "", requested_root(request), request.argument
    )
    return file, lines_to_export(
        await request.ports.billing.list_bill_lines(account, newest.id), file
    ) if newest else []


async def _newest_bill(request: ActionRequest) -> Bill | None:
    visible = published_bills(
        await request.ports.billing.list_bills(request.require_subscriber().account, 2), request
    )
    return visible[0] if visible else None


def requested_root(request: ActionRequest) -> str:
    """Return the root selected or texted, in upper case; empty means all."""
    chosen = request.facts.get("root")
    return (chosen.value if isinstance(chosen, Text) else "").upper()


def centre_root(centre: str) -> str:
    """Return a billing centre's name without its last part: `CF-100` of `CF-100-A`."""
    return centre.rpartition("-")[0] or centre


def lines_to_export(lines: Iterable[BillLine], file: LinkedFile) -> list[BillLine]:
    """Return the lines of the requested centres; lines without a centre are never exported."""
    return [line for line in lines if line.centre and (not file.root or centre_root(line.centre) == file.root)]


def export_csv(
    statements: Iterable[tuple[Bill, Sequence[BillLine]]],
    file: LinkedFile,
    currency: str,
    csv_format: CsvFormat = RAW_FORMAT,
) -> bytes:
    """Return bills with their lines as CSV: every line, or sums per bill, centre and rubric (`totals`)."""
    cells = [
        _csv_cells(bill, line, currency, csv_format)
        for bill, lines in statements
        for line in _lines_at_level(lines, file)
    ]
    return encode_csv([csv_format.header, *cells], csv_format)


def _lines_at_level(lines: Sequence[BillLine], file: LinkedFile) -> Iterable[BillLine]:
    rows = lines_to_export(lines, file)
    return _sum_by_centre(rows) if file.detail_level == "totals" else rows


def _sum_by_centre(lines: Sequence[BillLine]) -> Iterator[BillLine]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.centre, line.rubric] += line.amount
    for (centre, rubric), amount in sums.items():
        yield BillLine(rubric, "", amount, centre=centre)


def _csv_cells(bill: Bill, line: BillLine, currency: str, csv_format: CsvFormat) -> tuple[str, ...]:
    amount, rubric = csv_format.format_amount(line.amount), csv_format.format_key(line.rubric)
    return bill.number, bill.issued.isoformat(), line.centre, line.user, rubric, line.label, amount, currency


ACTIONS = {
    "export.roots": define_action(list_roots, "ok none"),
    "export.found": define_action(check_exportable, "ok none"),
    "export.build": define_action(send_export_link, "ok none", is_deferred=True),
}
