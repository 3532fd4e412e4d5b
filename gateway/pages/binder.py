"""The binder: makes a file when its link is opened; the issuer's own documents it only passes on."""

import asyncio
import hashlib
import io
import stat
import zipfile
from dataclasses import dataclass, field

from flows import export
from flows.failures import Down, NotFound
from flows.files import File
from flows.records import Document
from gateway.pages.pdf import Press
from gateway.pages.statement import statement
from gateway.pages.visit import Visit

READABLE = stat.S_IFREG | 0o644
"""What an unpacked file is: one its owner may write and everybody read."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as it is handed out."""

    data: bytes = field(repr=False)
    name: str
    suffix: str
    """`pdf`, `csv`, `zip`, or what an original is."""


@dataclass(frozen=True, slots=True)
class Binder:
    """Makes the file a link names."""

    press: Press = field(default_factory=Press, repr=False)

    async def sheet(self, visit: Visit, file: File) -> Sheet:
        """The file; NotFound when its bill is gone, Down when an original is not what its issuer signed for."""
        if file.kind == "pdf":
            return await self._drawn(visit, file)
        if file.kind == "original":
            original = await _original(visit, file.account, file.bill)
            return Sheet(original.data, file.bill, original.suffix)
        return await (_archive(visit, file) if file.kind == "archive" else _exported(visit, file))

    async def _drawn(self, visit: Visit, file: File) -> Sheet:
        billing = visit.world.billing
        bill = await billing.bill(file.account, file.bill)
        told = statement(visit, bill, await billing.lines(file.account, file.bill), file.number)
        return Sheet(await self.press.drawn(told, visit.now), bill.number, "pdf")


async def _exported(visit: Visit, file: File) -> Sheet:
    billing = visit.world.billing
    bill = await billing.bill(file.account, file.bill)
    lines = await billing.lines(file.account, file.bill)
    data = export.written(bill, lines, file, visit.menu.form.currency.code)
    return Sheet(data, f"{bill.number}-{file.root or 'CF'}", "csv")


async def _archive(visit: Visit, file: File) -> Sheet:
    """Every original there is, as one ZIP (B11)."""
    months = visit.menu.form.rules.document_months
    originals = {}
    for bill in await visit.world.billing.bills(file.account, months):
        try:
            original = await _original(visit, file.account, bill.id)
        except NotFound:
            continue
        originals[f"{bill.number}.{original.suffix}"] = original.data
    return Sheet(await asyncio.to_thread(_zipped, originals), f"{visit.operator}-archive", "zip")


async def _original(visit: Visit, account: str, bill: str) -> Document:
    """The issuer's document, byte for byte: one that does not match its hash is not handed out."""
    document = await visit.world.billing.document(account, bill)
    if hashlib.sha256(document.data).hexdigest() != document.sha256:
        raise Down
    return document


def _zipped(originals: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in originals.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = READABLE << 16  # a bare ZipInfo unpacks to files nobody may open
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
