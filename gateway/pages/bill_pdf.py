"""Bill PDF: tagged, with an embedded font, Arabic shaped and laid out right to left."""

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    _draw_line(pdf, statement.title, 18, start, "H1")
    _draw_rows(pdf, statement.rows, start)
    _draw_line(pdf, statement.detail_title, 14, start, "H2")
    _draw_rows(pdf, (statement.detail_header, *statement.detail_rows), start)


@contextmanager
def _tagged(pdf: FPDF, role: str) -> Iterator[None]:
    """Make what is drawn inside one element of the document's structure, in reading order.

    `role` is H1, H2 or P (ISO 32000-1, 14.8). Nothing inside may begin a page. The library
    tags pictures only, by the same calls.
    """
    mark = pdf.struct_builder.next_mcid_for_page(pdf.page)
    _, place = pdf.struct_builder.add_marked_content(pdf.page, f"/{role}", mark)
    pdf.pages[pdf.page].struct_parents = place
    pdf._out(f"/{role} <</MCID {mark}>> BDC")
    yield
    pdf._out("EMC")


def _draw_line(pdf: FPDF, text: str, size: int, start: Align, role: str = "P") -> None:
    pdf.set_font(FONT_FAMILY, size=size)
    _begin_page_if_full(pdf, _text_height(pdf, text, pdf.epw, LINE_MM * 1.5))
    with _tagged(pdf, role):
        pdf.multi_cell(0, LINE_MM * 1.5, text, align=start, new_x="LMARGIN", new_y="NEXT")


def _draw_rows(pdf: FPDF, rows: Iterable[BillRow], start: Align) -> None:
    """Draw labels where the language starts, values on the other side."""
    pdf.set_font(FONT_FAMILY, size=11)
    for row in rows:
        _draw_row(pdf, row, start)


def _draw_row(pdf: FPDF, row: BillRow, start: Align) -> None:
    """Draw label and value side by side, the label first, and a line below them.

    Long texts wrap, words too long for a line are broken.
    """
    width = pdf.epw / 2
    height = max(_text_height(pdf, text, width, LINE_MM) for text in row)
    _begin_page_if_full(pdf, height)
    top, sides = pdf.y, (Align.L, Align.R) if start is Align.L else (Align.R, Align.L)
    with _tagged(pdf, "P"):
        for text, side in zip(row, sides, strict=True):
            pdf.set_xy(pdf.l_margin + (width if side is Align.R else 0), top)
            _set_text_direction(pdf, text)
            pdf.multi_cell(width, LINE_MM, text, align=side)
    pdf._out("/Artifact BMC")
    pdf.line(pdf.l_margin, top + height, pdf.l_margin + pdf.epw, top + height)
    pdf._out("EMC")
    pdf.set_xy(pdf.l_margin, top + height)


def _begin_page_if_full(pdf: FPDF, height: float) -> None:
    """Begin a page where this one has no room for the height, in millimetres."""
    if pdf.will_page_break(height):
        pdf.add_page()


def _text_height(pdf: FPDF, text: str, width: float, line_height: float) -> float:
    """Return the height of a text in millimetres, and set the direction it is drawn in."""
    _set_text_direction(pdf, text)
    lines = pdf.multi_cell(width, line_height, text, dry_run=True, output=MethodReturnValue.LINES)
    return line_height * max(1, len(lines) if isinstance(lines, list) else 1)


def _set_text_direction(pdf: FPDF, text: str) -> None:
    """Set the direction of a text on a right-to-left page; masked numbers have no letter to derive it from."""
    if pdf.text_shaping:
        letters = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
        pdf.set_text_shaping(use_shaping_engine=True, direction="rtl" if letters else "ltr")
