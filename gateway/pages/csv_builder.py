"""Build CSV exports: bills with charges (B4), usage records (B24), in the language or raw."""

import asyncio
from collections.abc import Sequence

from flows.domain.records import Bill, BillLine
from flows.selfcare import export, usage_export
from flows.selfcare.csv_format import RAW_FORMAT, local_format
from flows.selfcare.export_period import ExportPeriod, find_bills
from flows.services.file_links import LinkedFile
from gateway.pages.page_request import PageRequest

MAX_CONCURRENT_BILLS = 4
"""Bills of an export whose charges are read at once."""


async def build_bills(request: PageRequest, file: LinkedFile, period: ExportPeriod | None) -> tuple[bytes, str]:
    """Return the export of one bill, or of the bills of a period, and its name; NotFound: the bill is gone."""
    billing, months = request.ports.billing, request.menu.config.rules.document_months
    newest = await billing.get_bill(file.account, file.bill_id)
    bills = await find_bills(billing, newest, period, months, request.ports.today())
    statements: list[tuple[Bill, Sequence[BillLine]]] = []
    for first in range(0, len(bills), MAX_CONCURRENT_BILLS):
        batch = bills[first : first + MAX_CONCURRENT_BILLS]
        lines = await asyncio.gather(*(billing.list_bill_lines(file.account, bill.id) for bill in batch))
        statements += zip(batch, lines, strict=True)
    csv_format = RAW_FORMAT if request.is_raw else local_format(request.menu, request.language)
    data = export.export_csv(statements, file, request.menu.config.currency.code, csv_format)
    return data, f"{period.name if period else newest.number}-{file.root or 'CF'}"


async def build_usage(request: PageRequest, file: LinkedFile, period: ExportPeriod | None) -> tuple[bytes, str]:
    """Return the export of usage and its name: the first and last day it has.

    Without a period it is all usage that billing has, at most the newest `MAX_USAGE_RECORDS` records.
    """
    found = await usage_export.find_usage(request.ports.billing, file.account)
    entries = usage_export.usage_to_export(found, file, period)
    csv_format = usage_export.RAW_USAGE_FORMAT
    if not request.is_raw:
        csv_format = local_format(request.menu, request.language, usage_export.USAGE_CSV_COLUMNS)
    data = usage_export.usage_csv(entries, file, request.menu.config.currency.code, csv_format)
    days = f"{entries[0].at}-{entries[-1].at}-" if entries else ""
    return data, f"{days}usage-{file.root or 'CF'}"
