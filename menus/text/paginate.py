"""Pagination: splits a screen's text into the fewest pages that fit a channel's page size."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from menus.text.gsm import Size, clean, measure, plain, prepare


@dataclass(frozen=True, slots=True)
class Budget:
    """Page size; below the 182 septets or 80 code units of a USSD string (3GPP TS 23.038, 24.090)."""

    gsm7: int = 160
    """Septets. Some networks append text of their own, and some handsets cut at 160."""
    ucs2: int = 70
    """UTF-16 code units."""


@dataclass(frozen=True, slots=True)
class Block:
    """One option or one paragraph of a screen."""

    text: str
    whole: bool = True
    """True keeps it on one page; False allows breaks at line ends, else at spaces, never at U+00A0."""


@dataclass(frozen=True, slots=True)
class Feet:
    """Navigation line at the foot: of a single page, or of the first, middle and last of several."""

    only: str = ""
    first: str = ""
    middle: str = ""
    last: str = ""


class Overflow(ValueError):  # noqa: N818
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

    gap: str
    """Spaces or line end before the piece, unless it is the first on its page."""
    text: str


Grain = Literal["block", "line", "word"]
"""Where pages may break: between blocks, lines or words."""
# Separator and text of each piece of a block.
_CUTS: dict[Grain, re.Pattern[str]] = {
    "line": re.compile(r"([ \n]*)([^ \n][^\n]*)"),
    "word": re.compile(r"([ \n]*)([^ \n]+)"),
}
_TRAILING = re.compile("[ \u00a0]+(?=\n|\\Z)|\u00a0+(?= )")


def one_page(text: str, budget: Budget) -> str:
    """Return the text as it is sent; PageOverflowError when it takes more than one page."""
    page = _page(_tidy(text), budget)
    if page is None:
        raise _overflow(text, text, budget)
    return page


def pages(
    blocks: Sequence[Block], feet: Feet, budget: Budget, notes: Sequence[tuple[int, str]] = ()
) -> tuple[str, ...]:
    """Split blocks, one per line, into the fewest pages in order, as they are sent.

    Each note is (page from 0, text) and comes first on its page; the pages before it do not change.

    A page whose letters all fold into GSM-7 has the gsm7 size, any other the ucs2 one. Pages break
    between blocks where that takes no further page, else between lines, else between words.
    PageOverflowError when one option, or one word of a paragraph, does not fit on a page with the footer.
    """
    tidy = [Block(text, block.whole) for block in blocks if (text := _tidy(block.text))]
    tidy_feet = Feet(_tidy(feet.only), _tidy(feet.first), _tidy(feet.middle), _tidy(feet.last))
    single = _page(_joined([block.text for block in tidy], tidy_feet.only), budget)
    if not notes:
        return _several(tidy, tidy_feet, budget, {})[1] if single is None else (single,)
    # The break level must not depend on later notes, or text of an earlier page could be on no page.
    first_note = notes[:1] if single is not None else ()
    level, _ = _several(tidy, tidy_feet, budget, dict(first_note))
    return _filled(_pieces(tidy, level), tidy_feet, budget, dict(notes))


def _several(
    blocks: Sequence[Block], feet: Feet, budget: Budget, notes: Mapping[int, str]
) -> tuple[Grain, tuple[str, ...]]:
    """Return the coarsest break level that takes no more pages than breaks between words, and its pages."""
    by_word = _filled(_pieces(blocks, "word"), feet, budget, notes)
    coarser: tuple[Grain, ...] = ("block", "line")
    for level in () if all(block.whole for block in blocks) else coarser:
        pages_at_level = _tried(_pieces(blocks, level), feet, budget, notes)
        if len(pages_at_level) == len(by_word):
            return level, pages_at_level
    return "word", by_word


def _tidy(text: str) -> str:
    """Clean the text and remove spaces at line ends."""
    return _TRAILING.sub("", clean(text)).strip(" \n")


def _pieces(blocks: Sequence[Block], grain: Grain) -> list[_Piece]:
    """Split breakable blocks into pieces of the given level."""
    return [piece for block in blocks for piece in _broken(block, grain)]


def _broken(block: Block, grain: Grain) -> list[_Piece]:
    if block.whole or grain == "block":
        return [_Piece("\n", block.text)]
    (_, first), *others = _CUTS[grain].findall(block.text)
    return [_Piece("\n", first), *[_Piece(separator, text) for separator, text in others]]


def _tried(pieces: Sequence[_Piece], feet: Feet, budget: Budget, notes: Mapping[int, str]) -> tuple[str, ...]:
    """Fill pages with the pieces; no pages when one piece is too long."""
    try:
        return _filled(pieces, feet, budget, notes)
    except Overflow:
        return ()


def _filled(pieces: Sequence[_Piece], feet: Feet, budget: Budget, notes: Mapping[int, str]) -> tuple[str, ...]:
    """Fill as few pages as the pieces allow; each page takes all it can, the last keeps at least one piece."""
    filled: list[str] = []
    rest = _opened(pieces, notes, 0)
    while (last := _page(_text(rest, feet.last if filled else feet.only), budget)) is None:
        if len(rest) < 2:
            raise _lone(rest, feet.last if filled else feet.only, budget)
        count, page = _most(rest, feet.middle if filled else feet.first, budget)
        filled.append(page)
        rest = _opened(rest[count:], notes, len(filled))
    return (*filled, last)


def _opened(rest: Sequence[_Piece], notes: Mapping[int, str], page: int) -> Sequence[_Piece]:
    """Put the note of this page, if there is one, before the pieces."""
    return [_Piece("\n", _tidy(notes[page])), *rest] if page in notes else rest


def _most(rest: Sequence[_Piece], foot: str, budget: Budget) -> tuple[int, str]:
    """Return how many pieces fit on one page, at most all but the last, and the page (galloping search)."""
    page = _page(_text(rest[:1], foot), budget)
    if page is None:
        raise _lone(rest, foot, budget)
    fitting, too_many, step = 1, len(rest), 1
    while fitting + 1 < too_many:
        count = min(fitting + step, (fitting + too_many) // 2)
        longer = _page(_text(rest[:count], foot), budget)
        if longer is None:
            too_many, step = count, 1
        else:
            fitting, page, step = count, longer, step * 2
    return fitting, page


def _text(pieces: Sequence[_Piece], foot: str) -> str:
    return _joined(["".join([piece.gap + piece.text for piece in pieces]).lstrip(" \n")], foot)


def _joined(texts: Sequence[str], foot: str) -> str:
    return "\n".join([text for text in (*texts, foot) if text])


def _page(tidy: str, budget: Budget) -> str | None:
    """Return the page as it is sent, or None when it does not fit."""
    if len(tidy) > max(budget.gsm7, budget.ucs2):  # folding never shortens a text
        return None
    wire_text = plain(prepare(tidy))
    size = measure(wire_text)
    return wire_text if size.units <= _limit(size, budget) else None


def _limit(size: Size, budget: Budget) -> int:
    return budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2


def _lone(rest: Sequence[_Piece], foot: str, budget: Budget) -> Overflow:
    return _overflow(rest[0].text if rest else foot, _text(rest[:1], foot), budget)


def _overflow(piece: str, page: str, budget: Budget) -> Overflow:
    size = measure(prepare(page))
    return Overflow(piece, size.units, _limit(size, budget))
