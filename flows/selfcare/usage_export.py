"""CSV export of usage records by centre and level of detail, built when its link is opened (B24)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.failures import Down
from flows.domain.ports import Billing
from flows.domain.records import UsageEntry
from flows.selfcare.csv_format import CsvFormat, encode_csv
from flows.selfcare.export import centre_root, list_roots, requested_root
from flows.selfcare.export_period import ExportPeriod
from flows.selfcare.usage import USAGE_KINDS
from flows.services import file_links
from flows.services.file_links import LinkedFile
from menus.model.facts import Count

MAX_USAGE_RECORDS = 5_000
"""Most records in one export: as many as backends read of one account at once."""
USAGE_CSV_COLUMNS = ("date", "user", "centre", "kind", "label", "quantity", "unit", "amount", "currency")
RAW_USAGE_FORMAT = CsvFormat(USAGE_CSV_COLUMNS)
"""Usage for programs, as `RAW_FORMAT` has bills."""
UNITS = {"call": "min", "data": "MB"}
"""Unit of a kind's quantity: minutes and megabytes; messages and all else are counted."""


async def find_usage(billing: Billing, account: str) -> list[UsageEntry]:
    """Return an account's usage records, oldest first, in whole days: at most `MAX_USAGE_RECORDS`, the newest.

    Down when a single day has more.
    """
    found = list(await billing.list_entries(account, "usage", MAX_USAGE_RECORDS + 1))
    if len(found) > MAX_USAGE_RECORDS:
        found = [each for each in found if each.at > found[-1].at]
        if not found:
            raise Down("one day has more usage records than an export holds")
    return found[::-1]


def usage_to_export(
    entries: Iterable[UsageEntry], file: LinkedFile, period: ExportPeriod | None
) -> list[UsageEntry]:
    """Return the records of the requested centres and months; without a root also those without a centre."""
    return [
        each
        for each in entries
        if (not file.root or centre_root(each.centre) == file.root)
        and (period is None or period.contains_day(each.at))
    ]


def usage_csv(
    entries: Sequence[UsageEntry],
    file: LinkedFile,
    currency: str,
    csv_format: CsvFormat = RAW_USAGE_FORMAT,
) -> bytes:
    """Return usage records as CSV: each one, or sums per month, centre and kind (`totals`)."""
    rows = _sum_by_centre(entries) if file.detail_level == "totals" else map(_record_row, entries)
    return encode_csv([csv_format.header, *(_csv_cells(row, currency, csv_format) for row in rows)], csv_format)


@dataclass(frozen=True, slots=True)
class _UsageRow:
    """One row of the file: a record, or the sum of a month's records."""

    date: str
    user: str
    centre: str
    kind: str
    label: str
    quantity: int
    amount: Decimal


def _record_row(entry: UsageEntry) -> _UsageRow:
    kind = _known_kind(entry)
    return _UsageRow(
        entry.at.isoformat(), entry.user, entry.centre, kind, entry.label, entry.quantity, entry.amount
    )


def _known_kind(entry: UsageEntry) -> str:
    return entry.kind if entry.kind in USAGE_KINDS else "other"


def _sum_by_centre(entries: Iterable[UsageEntry]) -> Iterator[_UsageRow]:
    quantities: dict[tuple[str, str, str], int] = defaultdict(int)
    amounts: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for entry in entries:
        key = f"{entry.at:%Y-%m}", entry.centre, _known_kind(entry)
        quantities[key] += entry.quantity
        amounts[key] += entry.amount
    for (month, centre, kind), quantity in quantities.items():
        yield _UsageRow(month, "", centre, kind, "", quantity, amounts[month, centre, kind])


def _csv_cells(row: _UsageRow, currency: str, csv_format: CsvFormat) -> tuple[str, ...]:
    kind, unit = csv_format.format_key(row.kind), csv_format.format_key(UNITS.get(row.kind, ""))
    amount = csv_format.format_amount(row.amount)
    return row.date, row.user, row.centre, kind, row.label, str(row.quantity), unit, amount, currency


async def check_usage(request: ActionRequest) -> Outcome:
    """Check that there is usage to export, before promising a link."""
    return Outcome("ok" if await _select_usage(request) else "none")


async def send_usage_link(request: ActionRequest) -> Outcome:
    """Send the export's link by SMS, or `none` when there is nothing to export. Runs as a deferred step."""
    entries = await _select_usage(request)
    if not entries:
        return Outcome("none")
    facts = {"lines": Count(len(entries))}
    change = file_links.link_by_sms(request, _usage_file(request), "usage_export.notice", facts)
    return Outcome(await request.ports.ledger.commit(change))


async def _select_usage(request: ActionRequest) -> list[UsageEntry]:
    account = request.require_subscriber().account
    found = await find_usage(request.billing_with("usage"), account)
    return usage_to_export(found, _usage_file(request), None)


def _usage_file(request: ActionRequest) -> LinkedFile:
    account, root = request.require_subscriber().account, requested_root(request)
    return LinkedFile("usage", account, request.caller, "", root, request.argument)


ACTIONS = {
    "usage_export.roots": define_action(list_roots, "ok none", capability="usage"),
    "usage_export.found": define_action(check_usage, "ok none", capability="usage"),
    "usage_export.build": define_action(send_usage_link, "ok none", is_deferred=True, capability="usage"),
}
