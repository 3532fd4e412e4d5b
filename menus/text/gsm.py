"""GSM-7 and UCS-2: length in septets or code units, SMS segmentation, folding to GSM-7."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

BASIC_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""GSM-7 default alphabet by code (3GPP TS 23.038, 6.2.1); 0x1B is the escape to the extension table."""
# 3GPP TS 23.038, 6.2.1.1: the extension table; each of these letters is sent as escape and code.
_EXTENSION_LETTERS = "\f^{}\\[~]|€"
_ESCAPE = "\x1b"
_BASIC_LETTERS = BASIC_TABLE.replace(_ESCAPE, "")
_ALL_LETTERS = frozenset(_BASIC_LETTERS + _EXTENSION_LETTERS)

_ONLY_BASIC = re.compile(f"[{re.escape(_BASIC_LETTERS)}]*")
_ONLY_GSM7 = re.compile(f"[{re.escape(_BASIC_LETTERS + _EXTENSION_LETTERS)}]*")
_TWO_SEPTETS = re.compile(f"[{re.escape(_EXTENSION_LETTERS)}]")

NO_BREAK_SPACE = "\u00a0"
"""U+00A0: prevents a line or page break inside our texts; it is sent as a plain space."""

# Signs outside GSM-7 that Unicode does not decompose, each with its replacement.
_SIGN_FOLDS = {
    **dict(zip("’‘‛ʼ«»„“”–—‐‑−", '\'\'\'\'"""""-----', strict=True)),
    **{"œ": "oe", "Œ": "OE", "…": "..."},
}
_LATIN_LETTERS = map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)))
_ACCENT_FOLDS = {
    letter: plain[0]
    for letter in _LATIN_LETTERS
    if letter not in _ALL_LETTERS and (plain := unicodedata.normalize("NFD", letter))[0].isascii()
}
"""Accented Latin letters outside GSM-7, each without its accents: `ș` becomes `s`."""
_FOLD_TABLE = _SIGN_FOLDS | _ACCENT_FOLDS
_SPACE_CODES = [*range(0x2000, 0x200B), 0x205F, 0x1680, 0x3000, 0x09]
_NO_BREAK_CODES = [0x202F, 0x2007]
_REMOVED_CODES = [
    *(set(range(0x20)) - {0x0A}),
    *range(0x7F, 0xA0),
    *(0xAD, 0x061C, 0x180E, 0xFEFF),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),
]
_CLEAN_TABLE: dict[int, str | None] = dict.fromkeys(_REMOVED_CODES)
_CLEAN_TABLE |= (
    dict.fromkeys(_SPACE_CODES, " ")
    | dict.fromkeys(_NO_BREAK_CODES, NO_BREAK_SPACE)
    | dict.fromkeys((0x2028, 0x2029), "\n")
)
# Translating every letter is slow: patterns find the few texts and letters that change.
_UNCLEAN = re.compile(f"[{re.escape(''.join(map(chr, _CLEAN_TABLE)))}]")
_FOLDABLE = re.compile(f"[{''.join(_FOLD_TABLE)}]")


@dataclass(frozen=True, slots=True)
class TextSize:
    """Length of a text: septets in `gsm7`, UTF-16 code units in `ucs2`."""

    alphabet: Literal["gsm7", "ucs2"]
    units: int


@dataclass(frozen=True, slots=True)
class _SegmentSize:
    """Units one SMS carries: alone, and as a segment of a concatenated message."""

    single: int
    concatenated: int


# 3GPP TS 23.040, 9.2.3.24.1: 140 octets, 6 of which are the header of a concatenated segment.
_SEGMENT_SIZES = {"gsm7": _SegmentSize(160, 153), "ucs2": _SegmentSize(70, 67)}


def to_wire_text(text: str) -> str:
    """Return the text as it is sent: each no-break space becomes a plain one."""
    return text.replace(NO_BREAK_SPACE, " ").replace("\u202f", " ")


def count_septets(text: str) -> int | None:
    """Count the septets in the GSM-7 alphabet (3GPP TS 23.038); None when a letter is in neither table."""
    if _ONLY_BASIC.fullmatch(text):
        return len(text)
    if _ONLY_GSM7.fullmatch(text):
        return len(text) + len(_TWO_SEPTETS.findall(text))
    return None


def count_ucs2_units(text: str) -> int:
    """Count the UTF-16 code units; a letter outside the basic plane takes two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fold_to_gsm7(text: str) -> str:
    """Replace letters outside GSM-7 by similar ones in it where they exist; é è à ù are in GSM-7 and stay."""
    return to_wire_text(_fold_letters(text))


def _fold_letters(text: str) -> str:
    return _FOLDABLE.sub(lambda match: _FOLD_TABLE[match[0]], text)


def fold_own_letters(text: str, folds: Mapping[str, str]) -> str:
    """Replace the letters that a language or a pack folds otherwise than by dropping the accent (`ő`, `ö`)."""
    if text.isascii() or not folds:
        return text
    return "".join([folds.get(letter, letter) for letter in text])


def clean_text(text: str) -> str:
    """Remove controls and invisible characters; unusual spaces become plain ones or U+00A0. NFC."""
    translated = text.translate(_CLEAN_TABLE) if _UNCLEAN.search(text) else text
    return unicodedata.normalize("NFC", translated)


def prepare_text(text: str) -> str:
    """Clean the text, and fold it if that brings all of it into GSM-7; otherwise its letters stay.

    U+00A0 stays, because pages are still to be broken; `to_wire_text` replaces it at the end.
    """
    native = clean_text(text)
    if count_septets(to_wire_text(native)) is not None:
        return native
    folded = _fold_letters(native)
    return native if count_septets(to_wire_text(folded)) is None else folded


def measure_text(text: str) -> TextSize:
    """Measure the text as it stands, without folding; U+00A0 counts as a plain space."""
    wire_text = to_wire_text(text)
    units = count_septets(wire_text)
    return TextSize("ucs2", count_ucs2_units(wire_text)) if units is None else TextSize("gsm7", units)


def unencodable_letters(text: str) -> str:
    """Return the letters, each once, that force the text into UCS-2 even when folded."""
    return "".join(
        dict.fromkeys(letter for letter in fold_to_gsm7(clean_text(text)) if letter not in _ALL_LETTERS)
    )


def count_segments(text: str) -> int:
    """Count the SMS segments: 160 septets or 70 units in one SMS, 153 or 67 in each concatenated segment."""
    size = measure_text(text)
    return 1 if size.units <= _SEGMENT_SIZES[size.alphabet].single else len(split_segments(text))


def split_segments(text: str) -> list[str]:
    """Split the text into SMS segments; an escaped letter or a surrogate pair is never split."""
    wire_text, size = to_wire_text(text), measure_text(text)
    segment = _SEGMENT_SIZES[size.alphabet]
    if size.units <= segment.single:
        return [wire_text]
    units = [_letter_units(letter, size.alphabet) for letter in wire_text]
    return _cut_segments(wire_text, units, segment.concatenated)


def _letter_units(letter: str, alphabet: str) -> int:
    takes_two = letter in _EXTENSION_LETTERS if alphabet == "gsm7" else letter > "\uffff"
    return 2 if takes_two else 1


def _cut_segments(text: str, costs: Iterable[int], max_units: int) -> list[str]:
    starts, full, previous = [0], 0, 0
    for index, total in enumerate(accumulate(costs)):
        if total - full > max_units:
            starts.append(index)
            full = previous
        previous = total
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
