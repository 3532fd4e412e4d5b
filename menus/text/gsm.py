"""The two alphabets a handset reads: what a text costs in each, and how it is made to fit the cheap one."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

# 3GPP TS 23.038, 6.2.1: the default alphabet by code, 0x1B being the escape to the extension table.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038, 6.2.1.1: the extension table; each of these letters is sent as escape plus code.
_EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_ESCAPE = 0x1B
_CODES = {letter: bytes([code]) for code, letter in enumerate(_BASIC) if code != _ESCAPE}
_CODES |= {letter: bytes([_ESCAPE, code]) for letter, code in _EXTENSION.items()}
_EXTENDED = {code: letter for letter, code in _EXTENSION.items()}

_CHEAP = re.compile(f"[{re.escape(_BASIC.replace(chr(_ESCAPE), ''))}]*")
_GSM7 = re.compile(f"[{re.escape(''.join(_CODES))}]*")
_TWICE = re.compile(f"[{re.escape(''.join(_EXTENSION))}]")

KEEP = "\u00a0"
"""The no-break space: inside our texts it says "do not break here"; on the wire it is a plain space."""

_FOLDS = {
    **dict(zip("ăâîșşțţĂÂÎȘŞȚŢ", "aaissttAAISSTT", strict=True)),
    **dict(zip("çêôûëïÊÔÛËÏÀÈÙÌÒ", "ceoueiEOUEIAEUIO", strict=True)),
    **dict(zip("’‘‛ʼ«»„“”–—‐‑−", '\'\'\'\'"""""-----', strict=True)),
    **{"œ": "oe", "Œ": "OE", "…": "..."},
}
_SPACES = [*range(0x2000, 0x200B), 0x205F, 0x1680, 0x3000, 0x09]
_SOLID = [0x202F, 0x2007]
_GONE = [
    *(set(range(0x20)) - {0x0A}),
    *range(0x7F, 0xA0),
    *(0xAD, 0x061C, 0x180E, 0xFEFF),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),
]
_CLEAN: dict[int, str | None] = dict.fromkeys(_GONE)
_CLEAN |= dict.fromkeys(_SPACES, " ") | dict.fromkeys(_SOLID, KEEP) | dict.fromkeys((0x2028, 0x2029), "\n")
# Walking every letter through a table is slow: patterns find the few that change.
_UNCLEAN = re.compile(f"[{re.escape(''.join(map(chr, _CLEAN)))}]")
_FOLDABLE = re.compile(f"[{''.join(_FOLDS)}]")


@dataclass(frozen=True, slots=True)
class Size:
    """What a text costs: septets in `gsm7`, UTF-16 code units in `ucs2`."""

    alphabet: Literal["gsm7", "ucs2"]
    units: int


@dataclass(frozen=True, slots=True)
class _Room:
    alone: int
    part: int


# 3GPP TS 23.040, 9.2.3.24.1: 140 octets, of which a joined part gives 6 to its header.
_ROOM = {"gsm7": _Room(160, 153), "ucs2": _Room(70, 67)}


def plain(text: str) -> str:
    """The text as it goes on the wire: no-break spaces become plain ones, one for one."""
    return text.replace(KEEP, " ").replace("\u202f", " ")


def septets(text: str) -> int | None:
    """Septets in the default alphabet of 3GPP TS 23.038; None when a letter is in neither table."""
    if _CHEAP.fullmatch(text):
        return len(text)
    if _GSM7.fullmatch(text):
        return len(text) + len(_TWICE.findall(text))
    return None


def ucs2_units(text: str) -> int:
    """UTF-16 code units; a letter outside the basic plane takes two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fold(text: str) -> str:
    """The text in letters of GSM-7 where a plain likeness exists; é è à ù and the like stay."""
    return plain(_folded(text))


def _folded(text: str) -> str:
    return _FOLDABLE.sub(lambda found: _FOLDS[found[0]], text)


def clean(text: str) -> str:
    """The text without controls and invisible marks; odd spaces plain, unbreakable ones U+00A0."""
    rid = text.translate(_CLEAN) if _UNCLEAN.search(text) else text
    return unicodedata.normalize("NFC", rid)


def prepare(text: str) -> str:
    """The cleaned text, folded when that brings all of it into GSM-7, else in its own letters.

    U+00A0 stays: it still has to keep words together. `plain` takes it away at the very end.
    """
    native = clean(text)
    if septets(plain(native)) is not None:
        return native
    folded = _folded(native)
    return native if septets(plain(folded)) is None else folded


def measure(text: str) -> Size:
    """What the text costs as it stands, U+00A0 counted as the plain space it becomes."""
    sent = plain(text)
    cost = septets(sent)
    return Size("ucs2", ucs2_units(sent)) if cost is None else Size("gsm7", cost)


def offending(text: str) -> str:
    """The letters, each once in order of appearance, which even folded push the text into UCS-2."""
    return "".join(dict.fromkeys(letter for letter in fold(clean(text)) if letter not in _CODES))


def segments(text: str) -> int:
    """How many SMS carry the text: 160 septets or 70 units alone, 153 or 67 in each joined part."""
    size = measure(text)
    return 1 if size.units <= _ROOM[size.alphabet].alone else len(split_parts(text))


def split_parts(text: str) -> list[str]:
    """The text of each SMS, plain; neither an escaped letter nor a surrogate pair is ever split."""
    sent, size = plain(text), measure(text)
    room = _ROOM[size.alphabet]
    if size.units <= room.alone:
        return [sent]
    costs = [_cost(letter, size.alphabet) for letter in sent]
    return _cut(sent, costs, room.part)


def _cost(letter: str, alphabet: str) -> int:
    double = letter in _EXTENSION if alphabet == "gsm7" else letter > "\uffff"
    return 2 if double else 1


def _cut(text: str, costs: Iterable[int], room: int) -> list[str]:
    borders, spent, before = [0], 0, 0
    for index, total in enumerate(accumulate(costs)):
        if total - spent > room:
            borders.append(index)
            spent = before
        before = total
    return [text[start:end] for start, end in zip(borders, [*borders[1:], len(text)], strict=True)]


def gsm7_encode(text: str) -> bytes:
    """The text's unpacked septets, one a byte, U+00A0 as a space; ValueError outside GSM-7."""
    try:
        return b"".join([_CODES[letter] for letter in plain(text)])
    except KeyError as error:
        raise ValueError(f"not in GSM-7: {error.args[0]!r}") from None


def gsm7_decode(data: bytes) -> str:
    """The text of unpacked septets; ValueError when a byte has more than seven bits.

    As 3GPP TS 23.038 asks of a receiver, an unknown escaped code shows its default letter,
    and an escape that leads nowhere shows a space.
    """
    if any(code > 0x7F for code in data):
        raise ValueError("a septet has seven bits")
    codes = iter(data)
    return "".join(_BASIC[code] if code != _ESCAPE else _escaped(next(codes, _ESCAPE)) for code in codes)


def _escaped(code: int) -> str:
    return " " if code == _ESCAPE else _EXTENDED.get(code, _BASIC[code])
