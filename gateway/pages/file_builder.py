"""Build a download when its link is opened: PDF, CSV, ZIP archive, or the issuer's original."""

import asyncio
import hashlib
import io
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field

from flows.domain.failures import Down, NotFound
from flows.domain.records import Bill, BillDocument
from flows.selfcare import export
from flows.services.file_links import LinkedFile
from gateway.pages import responses
from gateway.pages.bill_pdf import PdfRenderer
from gateway.pages.bill_view import build_statement
from gateway.pages.page_request import PageRequest

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


@dataclass(frozen=True, slots=True)
class FileBuilder:
    """Builds the file a link names."""

    pdf_renderer: PdfRenderer = field(default_factory=PdfRenderer, repr=False)

    async def build_file(self, request: PageRequest, file: LinkedFile) -> BuiltFile:
        """Build the file; NotFound when its bill is gone, Down when an original does not match its hash."""
        if file.kind == "pdf":
            return await self._build_pdf(request, file)
        if file.kind == "original":
            original = await _fetch_original(request, file.account, file.bill_id)
            return BuiltFile(original.data, file.bill_id, original.suffix)
        return await (_build_archive(request, file) if file.kind == "archive" else _build_csv(request, file))

    async def _build_pdf(self, request: PageRequest, file: LinkedFile) -> BuiltFile:
        billing = request.ports.billing
        bill = await billing.get_bill(file.account, file.bill_id)
        view = build_statement(
            request, bill, await billing.list_bill_lines(file.account, file.bill_id), file.number
        )
        return BuiltFile(await self.pdf_renderer.render(view, request.now), bill.number, "pdf")


async def _build_csv(request: PageRequest, file: LinkedFile) -> BuiltFile:
    billing = request.ports.billing
    bill = await billing.get_bill(file.account, file.bill_id)
    lines = await billing.list_bill_lines(file.account, file.bill_id)
    data = export.export_csv(bill, lines, file, request.menu.config.currency.code)
    return BuiltFile(data, f"{bill.number}-{file.root or 'CF'}", "csv")


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
        name, names = responses.safe_filename(bill.number), archive.namelist()
        if f"{name}.{original.suffix}" in names:
            name += f"-{len(names)}"
        member = zipfile.ZipInfo(f"{name}.{original.suffix}")
        member.external_attr = FILE_MODE << 16  # a plain ZipInfo unpacks to files without any permission
        archive.writestr(member, original.data, zipfile.ZIP_DEFLATED)
