"""Bill PDF: one page with an embedded font, Arabic shaped and laid out right to left."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue

from gateway.pages.bill_view import BillRow, Statement
from gateway.pages.languages import text_direction

FONT_FILE = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
FONT_FAMILY = "DejaVu"
LINE_MM = 8.0


def render_pdf(statement: Statement, created_at: datetime) -> bytes:
    """Render the document. Takes about 0.2 s, most of it reading the font."""
    pdf = FPDF(format="A4")
    pdf.set_lang(statement.language)
    pdf.set_title(f"{statement.operator} {statement.number}")
    pdf.set_creation_date(created_at)
    pdf.add_page()
    pdf.add_font(FONT_FAMILY, fname=FONT_FILE)
    is_rtl = text_direction(statement.language) == "rtl"
    if is_rtl:
        pdf.set_text_shaping(use_shaping_engine=True, direction="rtl")
    _draw_statement(pdf, statement, Align.R if is_rtl else Align.L)
    return bytes(pdf.output())


def _draw_statement(pdf: FPDF, statement: Statement, start: Align) -> None:
    _draw_line(pdf, statement.operator, 12, start)
    for notice in statement.notices:
        _draw_line(pdf, notice, 14, start)
    _draw_line(pdf, statement.title, 18, start)
    _draw_rows(pdf, statement.rows, start)
    _draw_line(pdf, statement.detail_title, 14, start)
    _draw_rows(pdf, (statement.detail_header, *statement.detail_rows), start)


def _draw_line(pdf: FPDF, text: str, size: int, start: Align) -> None:
    pdf.set_font(FONT_FAMILY, size=size)
    _set_text_direction(pdf, text)
    pdf.multi_cell(0, LINE_MM * 1.5, text, align=start, new_x="LMARGIN", new_y="NEXT")


def _draw_rows(pdf: FPDF, rows: Iterable[BillRow], start: Align) -> None:
    """Draw labels where the language starts, values on the other side."""
    pdf.set_font(FONT_FAMILY, size=11)
    for label, value in rows:
        left, right = (label, value) if start is Align.L else (value, label)
        _draw_row(pdf, ((left, Align.L), (right, Align.R)))


def _draw_row(pdf: FPDF, cells: Sequence[tuple[str, Align]]) -> None:
    """Draw cells side by side and a line below them; long texts wrap, words too long for a line are broken."""
    width = pdf.epw / len(cells)
    height = max(_text_height(pdf, text, width) for text, _ in cells)
    if pdf.will_page_break(height):
        pdf.add_page()
    top = pdf.y
    for place, (text, align) in enumerate(cells):
        pdf.set_xy(pdf.l_margin + place * width, top)
        _set_text_direction(pdf, text)
        pdf.multi_cell(width, LINE_MM, text, align=align)
    pdf.line(pdf.l_margin, top + height, pdf.l_margin + pdf.epw, top + height)
    pdf.set_xy(pdf.l_margin, top + height)


def _text_height(pdf: FPDF, text: str, width: float) -> float:
    _set_text_direction(pdf, text)
    lines = pdf.multi_cell(width, LINE_MM, text, dry_run=True, output=MethodReturnValue.LINES)
    return LINE_MM * max(1, len(lines) if isinstance(lines, list) else 1)


def _set_text_direction(pdf: FPDF, text: str) -> None:
    """Set the direction of a text on a right-to-left page; masked numbers have no letter to derive it from."""
    if pdf.text_shaping:
        letters = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
        pdf.set_text_shaping(use_shaping_engine=True, direction="rtl" if letters else "ltr")
