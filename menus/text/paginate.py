"""The paginator: cuts a screen into pages none of which outgrows its surface."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from menus.text.gsm import Size, clean, measure, plain, prepare


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a page may be; below the 182 septets or 80 units of a USSD string (3GPP TS 23.038, 24.090)."""

    gsm7: int = 160
    """Septets: some networks append text of their own, and some handsets cut at 160."""
    ucs2: int = 70
    """UTF-16 code units."""


@dataclass(frozen=True, slots=True)
class Block:
    """One option or one paragraph of a screen."""

    text: str
    whole: bool = True
    """True keeps it on one page; False lets it break at line ends, or else at spaces, never at U+00A0."""


@dataclass(frozen=True, slots=True)
class Feet:
    """The navigation on the last line: of a lone page, or of the first, inner and last of several."""

    only: str = ""
    first: str = ""
    middle: str = ""
    last: str = ""


class Overflow(ValueError):  # noqa: N818 - the word the checks and the screens use
    """A piece that may not be broken outgrows a page; the message leaves the text itself out."""

    def __init__(self, text: str, units: int, budget: int) -> None:
        super().__init__(f"a piece of {len(text)} characters makes a page of {units} units, {budget} allowed")
        self.text = text
        self.units = units
        """Units of the smallest page that holds the piece, its foot included."""
        self.budget = budget
        """Units that page may take."""


@dataclass(frozen=True, slots=True)
class _Piece:
    gap: str
    """What stands before the piece unless it opens a page."""
    text: str


Grain = Literal["block", "line", "word"]
_CUTS: dict[Grain, re.Pattern[str]] = {
    "line": re.compile(r"([ \n]*)([^ \n][^\n]*)"),
    "word": re.compile(r"([ \n]*)([^ \n]+)"),
}
_TRAILING = re.compile("[ \u00a0]+(?=\n|\\Z)|\u00a0+(?= )")


def one_page(text: str, budget: Budget) -> str:
    """The text as it goes out, for a screen that ends; Overflow when it takes more than one page."""
    page = _page(_tidy(text), budget)
    if page is None:
        raise _overflow(text, text, budget)
    return page


def pages(
    blocks: Sequence[Block], feet: Feet, budget: Budget, notes: Sequence[tuple[int, str]] = ()
) -> tuple[str, ...]:
    """The fewest pages that hold the blocks in order, one a line, as they go out.

    Each of the `notes` opens the page it counts, from 0; pages before it are what they were without it.

    A page whose letters all fold into GSM-7 has the gsm7 budget, any other the ucs2 one. Where it
    costs no page, breaks fall between blocks, else between lines, else between words.
    Overflow when one option, or one word of a paragraph, cannot share a page with the foot.
    """
    tidy = [Block(text, block.whole) for block in blocks if (text := _tidy(block.text))]
    ends = Feet(_tidy(feet.only), _tidy(feet.first), _tidy(feet.middle), _tidy(feet.last))
    alone = _page(_joined([block.text for block in tidy], ends.only), budget)
    if not notes:
        return _several(tidy, ends, budget, {})[1] if alone is None else (alone,)
    # The grain must not change with a later note, or what was on one page is on none.
    opening = notes[:1] if alone is not None else ()
    grain, _ = _several(tidy, ends, budget, dict(opening))
    return _filled(_pieces(tidy, grain), ends, budget, dict(notes))


def _several(
    blocks: Sequence[Block], feet: Feet, budget: Budget, notes: Mapping[int, str]
) -> tuple["Grain", tuple[str, ...]]:
    """The coarsest grain that costs no page, and its pages."""
    finest = _filled(_pieces(blocks, "word"), feet, budget, notes)
    coarser: tuple[Grain, ...] = ("block", "line")
    for grain in () if all(block.whole for block in blocks) else coarser:
        kinder = _tried(_pieces(blocks, grain), feet, budget, notes)
        if len(kinder) == len(finest):
            return grain, kinder
    return "word", finest


def _tidy(text: str) -> str:
    return _TRAILING.sub("", clean(text)).strip(" \n")


def _pieces(blocks: Sequence[Block], grain: Grain) -> list[_Piece]:
    """The blocks in pieces no larger than the grain, where they may break at all."""
    return [piece for block in blocks for piece in _broken(block, grain)]


def _broken(block: Block, grain: Grain) -> list[_Piece]:
    if block.whole or grain == "block":
        return [_Piece("\n", block.text)]
    (_, opening), *others = _CUTS[grain].findall(block.text)
    return [_Piece("\n", opening), *[_Piece(gap, text) for gap, text in others]]


def _tried(pieces: Sequence[_Piece], feet: Feet, budget: Budget, notes: Mapping[int, str]) -> tuple[str, ...]:
    try:
        return _filled(pieces, feet, budget, notes)
    except Overflow:
        return ()


def _filled(pieces: Sequence[_Piece], feet: Feet, budget: Budget, notes: Mapping[int, str]) -> tuple[str, ...]:
    """As few pages as these pieces allow: each takes all it can, the last keeps at least one."""
    done: list[str] = []
    rest = _opened(pieces, notes, 0)
    while (last := _page(_text(rest, feet.last if done else feet.only), budget)) is None:
        if len(rest) < 2:
            raise _lone(rest, feet.last if done else feet.only, budget)
        taken, page = _most(rest, feet.middle if done else feet.first, budget)
        done.append(page)
        rest = _opened(rest[taken:], notes, len(done))
    return (*done, last)


def _opened(rest: Sequence[_Piece], notes: Mapping[int, str], page: int) -> Sequence[_Piece]:
    """What is left, behind the note that opens this page."""
    return [_Piece("\n", _tidy(notes[page])), *rest] if page in notes else rest


def _most(rest: Sequence[_Piece], foot: str, budget: Budget) -> tuple[int, str]:
    """How many of the pieces one page takes, all but the last at most, with the page itself."""
    page = _page(_text(rest[:1], foot), budget)
    if page is None:
        raise _lone(rest, foot, budget)
    fits, beyond, step = 1, len(rest), 1
    while fits + 1 < beyond:
        count = min(fits + step, (fits + beyond) // 2)
        longer = _page(_text(rest[:count], foot), budget)
        if longer is None:
            beyond, step = count, 1
        else:
            fits, page, step = count, longer, step * 2
    return fits, page


def _text(pieces: Sequence[_Piece], foot: str) -> str:
    return _joined(["".join([piece.gap + piece.text for piece in pieces]).lstrip(" \n")], foot)


def _joined(texts: Sequence[str], foot: str) -> str:
    return "\n".join([text for text in (*texts, foot) if text])


def _page(tidy: str, budget: Budget) -> str | None:
    """The page as it goes out, or None when it does not fit."""
    if len(tidy) > max(budget.gsm7, budget.ucs2):  # folding never shortens
        return None
    ready = plain(prepare(tidy))
    size = measure(ready)
    return ready if size.units <= _limit(size, budget) else None


def _limit(size: Size, budget: Budget) -> int:
    return budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2


def _lone(rest: Sequence[_Piece], foot: str, budget: Budget) -> Overflow:
    return _overflow(rest[0].text if rest else foot, _text(rest[:1], foot), budget)


def _overflow(piece: str, page: str, budget: Budget) -> Overflow:
    size = measure(prepare(page))
    return Overflow(piece, size.units, _limit(size, budget))
