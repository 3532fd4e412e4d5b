"""Pagination: splits a screen's text into the fewest pages that fit a channel's page size."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from menus.text.gsm import TextSize, clean_text, measure_text, prepare_text, to_wire_text


@dataclass(frozen=True, slots=True)
class PageBudget:
    """Page size; below the 182 septets or 80 code units of a USSD string (3GPP TS 23.038, 24.090)."""

    gsm7: int = 160
    """Septets. Some networks append text of their own, and some handsets cut at 160."""
    ucs2: int = 70
    """UTF-16 code units."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """One option or one paragraph of a screen."""

    text: str
    is_unbreakable: bool = True
    """True keeps it on one page; False allows breaks at line ends, else at spaces, never at U+00A0."""


@dataclass(frozen=True, slots=True)
class PageFooters:
    """Navigation line at the foot: of a single page, or of the first, middle and last of several."""

    only: str = ""
    first: str = ""
    middle: str = ""
    last: str = ""


class PageOverflowError(ValueError):
    """An unbreakable piece does not fit on a page; the message does not contain the text itself."""

    def __init__(self, text: str, units: int, budget: int) -> None:
        super().__init__(f"a piece of {len(text)} characters makes a page of {units} units, {budget} allowed")
        self.text = text
        self.units = units
        """Units of the smallest page that holds the piece, footer included."""
        self.budget = budget
        """Most units of a page."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a block that is not broken further."""

    separator: str
    """Spaces or line end before the piece, unless it is the first on its page."""
    text: str


BreakLevel = Literal["block", "line", "word", "letter"]
"""Where pages may break: between blocks, lines or words; between letters only where a word outgrows a page."""
# Separator and text of each piece of a block.
_BREAK_PATTERNS: dict[BreakLevel, re.Pattern[str]] = {
    "line": re.compile(r"([ \n]*)([^ \n][^\n]*)"),
    "word": re.compile(r"([ \n]*)([^ \n]+)"),
    "letter": re.compile(r"([ \n]*)([^ \n]{1,8})"),
}
# Tried at the beginning of a run only, so that the time is in proportion to the text.
_TRAILING_SPACES = re.compile("(?<![ \u00a0])[ \u00a0]++(?=\n|\\Z)|(?<!\u00a0)\u00a0++(?= )")


def split_into_pages(
    blocks: Sequence[TextBlock], footers: PageFooters, budget: PageBudget, notes: Sequence[tuple[int, str]] = ()
) -> tuple[str, ...]:
    """Split blocks, one per line, into the fewest pages in order, as they are sent.

    Each note is (page from 0, text) and comes first on its page; the pages before it do not change.

    A page whose letters all fold into GSM-7 has the gsm7 size, any other the ucs2 one. Pages break
    between blocks where that takes no further page, else between lines, else between words.
    PageOverflowError when one option, or one word of a paragraph, does not fit on a page with the footer.
    """
    tidy, tidy_feet = _tidy_blocks(blocks), _tidy_footers(footers)
    single = _fit_page(_join_lines([block.text for block in tidy], tidy_feet.only), budget)
    if not notes:
        return _coarsest_split(tidy, tidy_feet, budget, {})[1] if single is None else (single,)
    # The break level must not depend on later notes, or text of an earlier page could be on no page.
    first_note = notes[:1] if single is not None else ()
    level, _ = _coarsest_split(tidy, tidy_feet, budget, dict(first_note))
    return _fill_pages(_split_blocks(tidy, level), tidy_feet, budget, dict(notes))


def split_anywhere(
    blocks: Sequence[TextBlock], footers: PageFooters, budget: PageBudget, notes: Sequence[tuple[int, str]] = ()
) -> tuple[str, ...]:
    """Split as `split_into_pages` does; where a piece outgrows a page, break all blocks between letters.

    For real data of any length (an address, a number of billing's). PageOverflowError only when a footer or
    a note leaves no room for any text.
    """
    try:
        return split_into_pages(blocks, footers, budget, notes)
    except PageOverflowError:
        loose = [TextBlock(block.text, is_unbreakable=False) for block in _tidy_blocks(blocks)]
        return _fill_pages(_split_blocks(loose, "letter"), _tidy_footers(footers), budget, dict(notes))


def _tidy_blocks(blocks: Sequence[TextBlock]) -> list[TextBlock]:
    return [TextBlock(text, block.is_unbreakable) for block in blocks if (text := _tidy_text(block.text))]


def _tidy_footers(footers: PageFooters) -> PageFooters:
    return PageFooters(
        _tidy_text(footers.only),
        _tidy_text(footers.first),
        _tidy_text(footers.middle),
        _tidy_text(footers.last),
    )


def _coarsest_split(
    blocks: Sequence[TextBlock], footers: PageFooters, budget: PageBudget, notes: Mapping[int, str]
) -> tuple[BreakLevel, tuple[str, ...]]:
    """Return the coarsest break level that takes no more pages than breaks between words, and its pages."""
    by_word = _fill_pages(_split_blocks(blocks, "word"), footers, budget, notes)
    coarser: tuple[BreakLevel, ...] = ("block", "line")
    for level in () if all(block.is_unbreakable for block in blocks) else coarser:
        pages_at_level = _try_filling(_split_blocks(blocks, level), footers, budget, notes)
        if len(pages_at_level) == len(by_word):
            return level, pages_at_level
    return "word", by_word


def _tidy_text(text: str) -> str:
    """Clean the text and remove spaces at line ends."""
    return _TRAILING_SPACES.sub("", clean_text(text)).strip(" \n")


def _split_blocks(blocks: Sequence[TextBlock], level: BreakLevel) -> list[_Piece]:
    """Split breakable blocks into pieces of the given level."""
    return [piece for block in blocks for piece in _split_block(block, level)]


def _split_block(block: TextBlock, level: BreakLevel) -> list[_Piece]:
    if block.is_unbreakable or level == "block":
        return [_Piece("\n", block.text)]
    (_, first), *others = _BREAK_PATTERNS[level].findall(block.text)
    return [_Piece("\n", first), *[_Piece(separator, text) for separator, text in others]]


def _try_filling(
    pieces: Sequence[_Piece], footers: PageFooters, budget: PageBudget, notes: Mapping[int, str]
) -> tuple[str, ...]:
    """Fill pages with the pieces; no pages when one piece is too long."""
    try:
        return _fill_pages(pieces, footers, budget, notes)
    except PageOverflowError:
        return ()


def _fill_pages(
    pieces: Sequence[_Piece], footers: PageFooters, budget: PageBudget, notes: Mapping[int, str]
) -> tuple[str, ...]:
    """Fill as few pages as the pieces allow; each page takes all it can, the last keeps at least one piece."""
    filled: list[str] = []
    rest = _prepend_note(pieces, notes, 0)
    while (last := _fit_page(_join_pieces(rest, footers.last if filled else footers.only), budget)) is None:
        if len(rest) < 2:
            raise _first_piece_overflow(rest, footers.last if filled else footers.only, budget)
        count, page = _fill_one_page(rest, footers.middle if filled else footers.first, budget)
        filled.append(page)
        rest = _prepend_note(rest[count:], notes, len(filled))
    return (*filled, last)


def _prepend_note(pieces: Sequence[_Piece], notes: Mapping[int, str], page: int) -> Sequence[_Piece]:
    """Put the note of this page, if there is one, before the pieces."""
    return [_Piece("\n", _tidy_text(notes[page])), *pieces] if page in notes else pieces


def _fill_one_page(pieces: Sequence[_Piece], footer: str, budget: PageBudget) -> tuple[int, str]:
    """Return how many pieces fit on one page, at most all but the last, and the page (galloping search)."""
    page = _fit_page(_join_pieces(pieces[:1], footer), budget)
    if page is None:
        raise _first_piece_overflow(pieces, footer, budget)
    fitting, too_many, step = 1, len(pieces), 1
    while fitting + 1 < too_many:
        count = min(fitting + step, (fitting + too_many) // 2)
        longer = _fit_page(_join_pieces(pieces[:count], footer), budget)
        if longer is None:
            too_many, step = count, 1
        else:
            fitting, page, step = count, longer, step * 2
    return fitting, page


def _join_pieces(pieces: Sequence[_Piece], footer: str) -> str:
    return _join_lines(["".join([piece.separator + piece.text for piece in pieces]).lstrip(" \n")], footer)


def _join_lines(texts: Sequence[str], footer: str) -> str:
    return "\n".join([text for text in (*texts, footer) if text])


def _fit_page(text: str, budget: PageBudget) -> str | None:
    """Return the page as it is sent, or None when it does not fit."""
    if len(text) > max(budget.gsm7, budget.ucs2):  # folding never shortens a text
        return None
    wire_text = to_wire_text(prepare_text(text))
    size = measure_text(wire_text)
    return wire_text if size.units <= _unit_limit(size, budget) else None


def _unit_limit(size: TextSize, budget: PageBudget) -> int:
    return budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2


def _first_piece_overflow(pieces: Sequence[_Piece], footer: str, budget: PageBudget) -> PageOverflowError:
    return _overflow_error(pieces[0].text if pieces else footer, _join_pieces(pieces[:1], footer), budget)


def _overflow_error(piece: str, page: str, budget: PageBudget) -> PageOverflowError:
    size = measure_text(prepare_text(page))
    return PageOverflowError(piece, size.units, _unit_limit(size, budget))
