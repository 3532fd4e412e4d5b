"""Build a download when its link is opened: PDF, CSV, ZIP archive, or the issuer's original."""

import asyncio
import hashlib
import io
import stat
import zipfile
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import chain, count

from flows.domain.failures import Down, NotFound
from flows.domain.records import Bill, BillDocument
from flows.selfcare.export_period import ExportPeriod
from flows.services.file_links import LinkedFile, safe_filename
from gateway.pages import csv_builder
from gateway.pages.bill_view import as_summary, build_statement
from gateway.pages.page_request import PageRequest
from gateway.pages.pdf_renderer import PdfRenderer

FILE_MODE = stat.S_IFREG | 0o644
"""Mode of an unpacked file: its owner may write, everybody may read."""
MAX_CONCURRENT_FETCHES = 4
"""Originals of an archive fetched at once, and held in memory beside what is packed."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file as it is sent."""

    data: bytes = field(repr=False)
    name: str
    suffix: str
    """`pdf`, `csv`, `zip`, or the original's own."""

    @property
    def has_content(self) -> bool:
        """Whether a CSV file has rows below its heading; other files always have content."""
        return self.suffix != "csv" or self.data.count(b"\n") > 1


@dataclass(frozen=True, slots=True)
class FileBuilder:
    """Builds the file a link names."""

    pdf_renderer: PdfRenderer = field(default_factory=PdfRenderer, repr=False)

    async def build_file(
        self, request: PageRequest, file: LinkedFile, period: ExportPeriod | None = None
    ) -> BuiltFile:
        """Build the file; NotFound when its bill is gone, Down when an original does not match its hash.

        `period` is for exports.
        """
        if file.kind in ("pdf", "duplicate"):
            return await self._build_document(request, file)
        if file.kind == "original":
            original = await _fetch_original(request, file.account, file.bill_id)
            return BuiltFile(original.data, file.bill_id, original.suffix)
        if file.kind == "archive":
            return await _build_archive(request, file)
        build = csv_builder.build_usage if file.kind == "usage" else csv_builder.build_bills
        data, name = await build(request, file, period)
        return BuiltFile(data, name, "csv")

    async def _build_document(self, request: PageRequest, file: LinkedFile) -> BuiltFile:
        """Return the issuer's document of a bill; our own summary only where the issuer has none.

        An issuer that cannot be reached is an error: a summary must not pass for the document.
        """
        bill = await request.ports.billing.get_bill(file.account, file.bill_id)
        name = f"{_duplicate_mark(request)}-{bill.number}" if file.kind == "duplicate" else bill.number
        original = await _find_original(request, file.account, file.bill_id)
        if original is not None:
            return BuiltFile(original.data, name, original.suffix)
        return BuiltFile(await self._draw_summary(request, file, bill), name, "pdf")

    async def _draw_summary(self, request: PageRequest, file: LinkedFile, bill: Bill) -> bytes:
        lines = await request.ports.billing.list_bill_lines(file.account, file.bill_id)
        customer = await _customer_number(request, file)
        view = build_statement(request, bill, lines, file.number)
        return await self.pdf_renderer.render(
            as_summary(request, view, bill, customer, is_duplicate=file.kind == "duplicate"), request.now
        )


def _duplicate_mark(request: PageRequest) -> str:
    """Return the word for a duplicate as a file name may have it; in English for other scripts."""
    word = request.plain_text("page.duplicate")
    return word if word.isascii() else "DUPLICATE"


async def _customer_number(request: PageRequest, file: LinkedFile) -> str:
    """Return the number billing prints on the customer's bills; the account where the line is gone."""
    try:
        subscriber = await request.ports.billing.get_subscriber(file.number)
    except NotFound:
        return file.account
    is_same = subscriber.account == file.account
    return (subscriber.account_number if is_same else "") or file.account


async def _build_archive(request: PageRequest, file: LinkedFile) -> BuiltFile:
    """Build a ZIP of every original there is (B11)."""
    bills = await request.ports.billing.list_bills(file.account, request.menu.config.rules.document_months)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for first in range(0, len(bills), MAX_CONCURRENT_FETCHES):
            batch = bills[first : first + MAX_CONCURRENT_FETCHES]
            originals = await asyncio.gather(
                *(_find_original(request, file.account, bill.id) for bill in batch)
            )
            await asyncio.to_thread(_add_originals, archive, zip(batch, originals, strict=True))
    return BuiltFile(out.getvalue(), f"{request.operator}-archive", "zip")


async def _find_original(request: PageRequest, account: str, bill: str) -> BillDocument | None:
    """Return a bill's original; None when there is none."""
    try:
        return await _fetch_original(request, account, bill)
    except NotFound:
        return None


async def _fetch_original(request: PageRequest, account: str, bill: str) -> BillDocument:
    """Return the issuer's document unchanged; Down when it does not match its hash."""
    document = await request.ports.billing.get_document(account, bill)
    if hashlib.sha256(document.data).hexdigest() != document.sha256:
        raise Down
    return document


def _add_originals(archive: zipfile.ZipFile, originals: Iterable[tuple[Bill, BillDocument | None]]) -> None:
    for bill, original in originals:
        if original is None:
            continue
        taken = {name.casefold() for name in archive.namelist()}
        name = unique_name(safe_filename(bill.number), original.suffix, taken)
        member = zipfile.ZipInfo(name)
        member.external_attr = FILE_MODE << 16  # a plain ZipInfo unpacks to files without any permission
        archive.writestr(member, original.data, zipfile.ZIP_DEFLATED)


def unique_name(stem: str, suffix: str, taken: Container[str]) -> str:
    """Return `stem.suffix`, numbered from 2 where that is taken; case counts for nothing, as on many disks."""
    numbered = (f"{stem}-{number}.{suffix}" for number in count(2))
    return next(name for name in chain([f"{stem}.{suffix}"], numbered) if name.casefold() not in taken)
