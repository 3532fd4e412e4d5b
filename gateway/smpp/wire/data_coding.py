"""Text as octets and back by data_coding (SMPP 3.4, 5.2.19; 3GPP TS 23.038, 4 and 5)."""

from dataclasses import dataclass
from typing import Literal

from menus.text.gsm import to_wire_text
from menus.text.gsm_codec import decode_septets, encode_septets, pack_septets, unpack_septets

DefaultAlphabet = Literal["gsm7", "gsm7-packed", "latin1"]
"""What an SMSC means by data_coding 0, its default alphabet; `gsm7` has one septet per octet."""
TextAlphabet = Literal["gsm7", "latin1", "ucs2", "binary"]
_UCS2, _LATIN1 = 8, 3
_GSM7_LETTERS, _UCS2_LETTERS = frozenset({0, 2}), "utf-16-be"
# 5.2.19: IA5, octets, Latin-1, octets, then those of other scripts, which we do not read.
_PLAIN_CODINGS: dict[int, TextAlphabet] = {
    **{0: "gsm7", 1: "gsm7", 2: "binary", _LATIN1: "latin1", 4: "binary", _UCS2: "ucs2"},
    **{15: "gsm7", 0x11: "ucs2"},
}


@dataclass(frozen=True, slots=True)
class CodingRules:
    """How one SMSC writes texts; a setting of each connection."""

    default_alphabet: DefaultAlphabet = "gsm7"
    gsm7_coding: int = 0
    """data_coding stated for GSM-7; many USSD gateways want 15."""
    ucs2_coding: int = 8
    """data_coding stated for UCS-2; many USSD gateways want 0x48."""


def alphabet_of(data_coding: int) -> TextAlphabet:
    """Return the alphabet a data_coding names; of general DCS groups (23.038) bits 2 and 3 tell it.

    1 (IA5) is read as GSM-7: the phones behind it write that, and the letters and digits are the same.
    """
    if data_coding in _PLAIN_CODINGS:
        return _PLAIN_CODINGS[data_coding]
    group, bits = data_coding >> 4, data_coding >> 2 & 0x03
    if group <= 0x07:
        return ("gsm7", "binary", "ucs2", "gsm7")[bits] if group else "gsm7"
    if group == 0x0E:
        return "ucs2"
    return "binary" if group == 0x0F and bits & 1 else "gsm7"


def decode_text(
    octets: bytes, data_coding: int, rules: CodingRules, udh_octets: int = 0, shifts: tuple[int, int] = (0, 0)
) -> str:
    """Decode a text without its UDH; one NUL or fill at the end is left out. Never raises.

    `udh_octets`: length of the UDH in front, which decides the fill bits of packed septets. `shifts`: language
    identifiers of the locking and of the single shift table. What cannot be read is U+FFFD.
    """
    alphabet = alphabet_of(data_coding)
    if alphabet == "ucs2":
        return octets[: len(octets) & ~1].decode(_UCS2_LETTERS, "replace").rstrip("\0")
    if alphabet == "latin1" or (data_coding == 0 and rules.default_alphabet == "latin1"):
        return octets.decode("latin-1").rstrip("\0")
    if alphabet == "binary":
        return octets.decode("ascii", "replace").rstrip("\0")
    if rules.default_alphabet == "gsm7-packed":
        octets = unpack_septets(octets, -8 * udh_octets % 7)
    return _without_nul(decode_septets(octets, *shifts), octets)


def _without_nul(text: str, octets: bytes) -> str:
    """Leave out a final NUL, which the alphabet reads as `@`, of a text that has more letters."""
    return text[:-1] if len(octets) > 1 and octets[-1] == 0 and octets[-2] != 0 else text


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text as octets with its data_coding; of GSM-7 one septet per octet, not packed yet."""

    octets: bytes
    data_coding: int
    alphabet: TextAlphabet


def encode_text(text: str, rules: CodingRules) -> EncodedText:
    """Encode a text in the SMSC's default alphabet if all its letters are in it, else in UCS-2."""
    wire_text = to_wire_text(text)
    if rules.default_alphabet == "latin1":
        return _encode_latin(wire_text, rules)
    septets = encode_septets(wire_text)
    if septets is not None:
        return EncodedText(septets, rules.gsm7_coding, "gsm7")
    return EncodedText(wire_text.encode(_UCS2_LETTERS, "replace"), rules.ucs2_coding, "ucs2")


def _encode_latin(text: str, rules: CodingRules) -> EncodedText:
    try:
        return EncodedText(text.encode("latin-1"), rules.gsm7_coding, "latin1")
    except UnicodeEncodeError:
        return EncodedText(text.encode(_UCS2_LETTERS, "replace"), rules.ucs2_coding, "ucs2")


def octets_for_wire(octets: bytes, alphabet: TextAlphabet, rules: CodingRules, udh_octets: int = 0) -> bytes:
    """Return the octets as this SMSC wants them: packed where its default alphabet is."""
    if alphabet == "gsm7" and rules.default_alphabet == "gsm7-packed":
        return pack_septets(octets, -8 * udh_octets % 7)
    return octets
