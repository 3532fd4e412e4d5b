"""Build a download when its link is opened: PDF, CSV, ZIP archive, or the issuer's original."""

import asyncio
import hashlib
import io
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field

from flows.domain.failures import Down, NotFound
from flows.domain.records import Bill, Document
from flows.selfcare import export
from flows.services.file_links import File
from gateway.pages import responses
from gateway.pages.bill_pdf import Press
from gateway.pages.bill_view import statement
from gateway.pages.page_request import Visit

READABLE = stat.S_IFREG | 0o644
"""Mode of an unpacked file: its owner may write, everybody may read."""
AT_ONCE = 4
"""Originals of an archive fetched at once, and held in memory beside what is packed."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as it is sent."""

    data: bytes = field(repr=False)
    name: str
    suffix: str
    """`pdf`, `csv`, `zip`, or the original's own."""


@dataclass(frozen=True, slots=True)
class Binder:
    """Builds the file a link names."""

    press: Press = field(default_factory=Press, repr=False)

    async def sheet(self, visit: Visit, file: File) -> Sheet:
        """Build the file; NotFound when its bill is gone, Down when an original does not match its hash."""
        if file.kind == "pdf":
            return await self._drawn(visit, file)
        if file.kind == "original":
            original = await _original(visit, file.account, file.bill)
            return Sheet(original.data, file.bill, original.suffix)
        return await (_archive(visit, file) if file.kind == "archive" else _exported(visit, file))

    async def _drawn(self, visit: Visit, file: File) -> Sheet:
        billing = visit.world.billing
        bill = await billing.bill(file.account, file.bill)
        view = statement(visit, bill, await billing.lines(file.account, file.bill), file.number)
        return Sheet(await self.press.drawn(view, visit.now), bill.number, "pdf")


async def _exported(visit: Visit, file: File) -> Sheet:
    billing = visit.world.billing
    bill = await billing.bill(file.account, file.bill)
    lines = await billing.lines(file.account, file.bill)
    data = export.written(bill, lines, file, visit.menu.form.currency.code)
    return Sheet(data, f"{bill.number}-{file.root or 'CF'}", "csv")


async def _archive(visit: Visit, file: File) -> Sheet:
    """Build a ZIP of every original there is (B11)."""
    bills = await visit.world.billing.bills(file.account, visit.menu.form.rules.document_months)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for first in range(0, len(bills), AT_ONCE):
            batch = bills[first : first + AT_ONCE]
            originals = await asyncio.gather(*(_held(visit, file.account, bill.id) for bill in batch))
            await asyncio.to_thread(_add, archive, zip(batch, originals, strict=True))
    return Sheet(out.getvalue(), f"{visit.operator}-archive", "zip")


async def _held(visit: Visit, account: str, bill: str) -> Document | None:
    """Return a bill's original; None when there is none."""
    try:
        return await _original(visit, account, bill)
    except NotFound:
        return None


async def _original(visit: Visit, account: str, bill: str) -> Document:
    """Return the issuer's document unchanged; Down when it does not match its hash."""
    document = await visit.world.billing.document(account, bill)
    if hashlib.sha256(document.data).hexdigest() != document.sha256:
        raise Down
    return document


def _add(archive: zipfile.ZipFile, originals: Iterable[tuple[Bill, Document | None]]) -> None:
    for bill, original in originals:
        if original is None:
            continue
        name, names = responses.filed(bill.number), archive.namelist()
        if f"{name}.{original.suffix}" in names:
            name += f"-{len(names)}"
        member = zipfile.ZipInfo(f"{name}.{original.suffix}")
        member.external_attr = READABLE << 16  # a plain ZipInfo unpacks to files without any permission
        archive.writestr(member, original.data, zipfile.ZIP_DEFLATED)
