"""Bill PDF: one page with an embedded font, Arabic shaped and laid out right to left."""

import asyncio
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align

from gateway.pages.bill_view import Row, Statement
from gateway.pages.languages import direction

FONT = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
FAMILY = "DejaVu"
LINE_MM = 8.0
AT_ONCE = 2
"""Documents rendered at the same time; each takes a fifth of a second of a processor."""


@dataclass(frozen=True, slots=True)
class Press:
    """Renders PDFs in threads, few at a time."""

    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE), repr=False)

    async def drawn(self, statement: Statement, at: datetime) -> bytes:
        """Return the document; `created_at` (UTC) is its creation date."""
        async with self.room:
            return await asyncio.to_thread(drawn, statement, at)


def drawn(statement: Statement, at: datetime) -> bytes:
    """Render the document. Takes about 0.2 s, most of it reading the font."""
    pdf = FPDF(format="A4")
    pdf.set_lang(statement.language)
    pdf.set_title(f"{statement.operator} {statement.number}")
    pdf.set_creation_date(at)
    pdf.add_page()
    pdf.add_font(FAMILY, fname=FONT)
    is_rtl = direction(statement.language) == "rtl"
    if is_rtl:
        pdf.set_text_shaping(use_shaping_engine=True, direction="rtl")
    _lines(pdf, statement, Align.R if is_rtl else Align.L)
    return bytes(pdf.output())


def _lines(paper: FPDF, statement: Statement, start: Align) -> None:
    _line(paper, statement.operator, 12, start)
    _line(paper, statement.title, 18, start)
    _rows(paper, statement.rows, start)
    _line(paper, statement.detail_title, 14, start)
    _rows(paper, (statement.head, *statement.detail), start)


def _line(paper: FPDF, text: str, size: int, start: Align) -> None:
    paper.set_font(FAMILY, size=size)
    _towards(paper, text)
    paper.cell(0, LINE_MM * 1.5, text, align=start, new_x="LMARGIN", new_y="NEXT")


def _rows(paper: FPDF, rows: Iterable[Row], start: Align) -> None:
    """Draw labels where the language starts, values on the other side."""
    paper.set_font(FAMILY, size=11)
    width = paper.epw / 2
    for label, value in rows:
        left, right = (label, value) if start is Align.L else (value, label)
        _towards(paper, left)
        paper.cell(width, LINE_MM, left, border="B", align=Align.L)
        _towards(paper, right)
        paper.cell(width, LINE_MM, right, border="B", align=Align.R, new_x="LMARGIN", new_y="NEXT")


def _towards(paper: FPDF, text: str) -> None:
    """Set the direction of a text on a right-to-left page; masked numbers have no letter to derive it from."""
    if paper.text_shaping:
        letters = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
        paper.set_text_shaping(use_shaping_engine=True, direction="rtl" if letters else "ltr")
