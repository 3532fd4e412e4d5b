"""PDF renderer: draws documents in threads, few at a time, and loads the PDF library with the first."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pkgutil import resolve_name

from flows.domain.concurrency_limit import ConcurrencyLimit
from gateway.pages.bill_view import Statement

ENTRY_POINT = "gateway.pages.bill_pdf:render_pdf"
"""What draws a document; its library takes 40 MB and half a second to load, which few processes need."""
MAX_CONCURRENT = 2
"""Documents rendered at the same time; each takes a fifth of a second of a processor."""
MAX_WAITING = 30
"""Documents that wait for it; the next raises Overloaded. The jobs of a process are no more (`MAX_JOBS`)."""


@dataclass(frozen=True, slots=True)
class PdfRenderer:
    """Renders PDFs in threads, few at a time."""

    limit: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(MAX_CONCURRENT, MAX_WAITING), repr=False
    )

    async def render(self, statement: Statement, created_at: datetime) -> bytes:
        """Return the document; `created_at` (UTC) is its creation date."""
        async with self.limit:
            return await asyncio.to_thread(_draw_document, statement, created_at)


def _draw_document(statement: Statement, created_at: datetime) -> bytes:
    return bytes(resolve_name(ENTRY_POINT)(statement, created_at))
