"""GSM-7 and UCS-2: encoding, length in septets or code units, SMS segmentation, folding to GSM-7."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

# 3GPP TS 23.038, 6.2.1: the default alphabet by code; 0x1B is the escape to the extension table.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038, 6.2.1.1: the extension table; each of these letters is sent as escape and code.
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
"""U+00A0: prevents a line or page break inside our texts; it is sent as a plain space."""

# Letters outside GSM-7, each with its replacement.

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
# Translating every letter is slow: patterns find the few texts and letters that change.
_UNCLEAN = re.compile(f"[{re.escape(''.join(map(chr, _CLEAN)))}]")
_FOLDABLE = re.compile(f"[{''.join(_FOLDS)}]")


@dataclass(frozen=True, slots=True)
class Size:
    """Length of a text: septets in `gsm7`, UTF-16 code units in `ucs2`."""

    alphabet: Literal["gsm7", "ucs2"]
    units: int


@dataclass(frozen=True, slots=True)
class _Room:
    """Units one SMS carries: alone, and as a segment of a concatenated message."""

    alone: int
    part: int


# 3GPP TS 23.040, 9.2.3.24.1: 140 octets, 6 of which are the header of a concatenated segment.
_ROOM = {"gsm7": _Room(160, 153), "ucs2": _Room(70, 67)}


def plain(text: str) -> str:
    """Return the text as it is sent: each no-break space becomes a plain one."""
    return text.replace(KEEP, " ").replace("\u202f", " ")


def septets(text: str) -> int | None:
    """Count the septets in the GSM-7 alphabet (3GPP TS 23.038); None when a letter is in neither table."""
    if _CHEAP.fullmatch(text):
        return len(text)
    if _GSM7.fullmatch(text):
        return len(text) + len(_TWICE.findall(text))
    return None


def ucs2_units(text: str) -> int:
    """Count the UTF-16 code units; a letter outside the basic plane takes two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fold(text: str) -> str:
    """Replace letters outside GSM-7 by similar ones in it where they exist; é è à ù are in GSM-7 and stay."""
    return plain(_folded(text))


def _folded(text: str) -> str:
    return _FOLDABLE.sub(lambda match: _FOLDS[match[0]], text)


def clean(text: str) -> str:
    """Remove controls and invisible characters; unusual spaces become plain ones or U+00A0. NFC."""
    translated = text.translate(_CLEAN) if _UNCLEAN.search(text) else text
    return unicodedata.normalize("NFC", translated)


def prepare(text: str) -> str:
    """Clean the text, and fold it if that brings all of it into GSM-7; otherwise its letters stay.

    U+00A0 stays, because pages are still to be broken; `to_wire_text` replaces it at the end.
    """
    native = clean(text)
    if septets(plain(native)) is not None:
        return native
    folded = _folded(native)
    return native if septets(plain(folded)) is None else folded


def measure(text: str) -> Size:
    """Measure the text as it stands, without folding; U+00A0 counts as a plain space."""
    wire_text = plain(text)
    units = septets(wire_text)
    return Size("ucs2", ucs2_units(wire_text)) if units is None else Size("gsm7", units)


def offending(text: str) -> str:
    """Return the letters, each once, that force the text into UCS-2 even when folded."""
    return "".join(dict.fromkeys(letter for letter in fold(clean(text)) if letter not in _CODES))


def segments(text: str) -> int:
    """Count the SMS segments: 160 septets or 70 units in one SMS, 153 or 67 in each concatenated segment."""
    size = measure(text)
    return 1 if size.units <= _ROOM[size.alphabet].alone else len(split_parts(text))


def split_parts(text: str) -> list[str]:
    """Split the text into SMS segments; an escaped letter or a surrogate pair is never split."""
    wire_text, size = plain(text), measure(text)
    segment = _ROOM[size.alphabet]
    if size.units <= segment.alone:
        return [wire_text]
    units = [_cost(letter, size.alphabet) for letter in wire_text]
    return _cut(wire_text, units, segment.part)


def _cost(letter: str, alphabet: str) -> int:
    takes_two = letter in _EXTENSION if alphabet == "gsm7" else letter > "\uffff"
    return 2 if takes_two else 1


def _cut(text: str, costs: Iterable[int], room: int) -> list[str]:
    starts, full, previous = [0], 0, 0
    for index, total in enumerate(accumulate(costs)):
        if total - full > room:
            starts.append(index)
            full = previous
        previous = total
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def gsm7_encode(text: str) -> bytes:
    """Encode to unpacked septets, one per byte, U+00A0 as a space; ValueError outside GSM-7."""
    try:
        return b"".join([_CODES[letter] for letter in plain(text)])
    except KeyError as error:
        raise ValueError(f"not in GSM-7: {error.args[0]!r}") from None


def gsm7_decode(data: bytes) -> str:
    """Decode unpacked septets; ValueError when a byte has more than seven bits.

    As 3GPP TS 23.038 requires of a receiver, an unknown escaped code becomes its letter in the default
    alphabet, and a double or final escape becomes a space.
    """
    if any(code > 0x7F for code in data):
        raise ValueError("a septet has seven bits; a byte here is above 0x7F")
    codes = iter(data)
    return "".join(_BASIC[code] if code != _ESCAPE else _escaped(next(codes, _ESCAPE)) for code in codes)


def _escaped(code: int) -> str:
    return " " if code == _ESCAPE else _EXTENDED.get(code, _BASIC[code])
