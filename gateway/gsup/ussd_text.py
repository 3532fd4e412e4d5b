"""USSD strings: text as packed GSM-7 or UCS-2 octets with its data coding scheme (3GPP TS 23.038, 5)."""

from typing import Literal

from menus.text.gsm import to_wire_text
from menus.text.gsm_codec import decode_septets, encode_septets, pack_septets, unpack_septets

MAX_OCTETS = 112
"""Most octets of a text through osmo-hlr: above them a length takes two octets (measured, 1.5.0 and 1.9.4)."""
MAX_SEPTETS = 128
GSM7_CODING, UCS2_CODING = 0x0F, 0x48
"""GSM-7 without a language; general coding, UCS-2, no class."""
_ESCAPE = b"\x1b"
_LANGUAGE_THEN_GSM7, _LANGUAGE_THEN_UCS2 = 0x10, 0x11
_LANGUAGE_SEPTETS, _LANGUAGE_OCTETS = 3, 2
"""Two letters and a carriage return, or two packed letters, before the text."""
StringAlphabet = Literal["gsm7", "ucs2", "binary"]


def alphabet_of(data_coding: int) -> StringAlphabet:
    """Return the alphabet of a USSD string; reserved codings are GSM-7, as the standard asks."""
    group = data_coding >> 4
    if 0x4 <= group <= 0x7 or group == 0x9:
        named: dict[int, StringAlphabet] = {1: "binary", 2: "ucs2"}
        return named.get(data_coding >> 2 & 0x3, "gsm7")
    if data_coding == _LANGUAGE_THEN_UCS2:
        return "ucs2"
    return "binary" if group == 0xF and data_coding & 0x04 else "gsm7"


def decode_ussd_text(octets: bytes, data_coding: int) -> str:
    """Decode a USSD string; octets that no letter has are read as a replacement character or a space."""
    alphabet = alphabet_of(data_coding)
    if alphabet == "ucs2":
        start = _LANGUAGE_OCTETS if data_coding == _LANGUAGE_THEN_UCS2 else 0
        return octets[start:].decode("utf-16-be", "replace")
    if alphabet == "binary":
        return octets.decode("ascii", "replace")
    text = decode_septets(unpack_septets(octets))
    return text[_LANGUAGE_SEPTETS:] if data_coding == _LANGUAGE_THEN_GSM7 else text


def encode_ussd_text(text: str) -> tuple[int, bytes]:
    """Return data coding and octets of a text, cut to what osmo-hlr passes: 128 septets or 56 UCS-2 units."""
    wire_text = to_wire_text(text)
    septets = encode_septets(wire_text)
    if septets is None:
        octets = wire_text.encode("utf-16-be", "replace")[:MAX_OCTETS]
        return UCS2_CODING, octets.decode("utf-16-be", "ignore").encode("utf-16-be")
    if len(septets) > MAX_SEPTETS:
        septets = septets[:MAX_SEPTETS].removesuffix(_ESCAPE)
    return GSM7_CODING, pack_septets(septets)


def exceeds_limit(text: str) -> bool:
    """Return whether a text is longer than osmo-hlr passes, so that it would be cut."""
    wire_text = to_wire_text(text)
    septets = encode_septets(wire_text)
    if septets is None:
        return len(wire_text.encode("utf-16-be", "replace")) > MAX_OCTETS
    return len(septets) > MAX_SEPTETS
