"""GSM-7 as octets: one septet per octet or packed; reads national language shift tables."""

from menus.text.gsm import BASIC_TABLE
from menus.text.shift_tables import (
    ESCAPE_CODE,
    EXTENSION_TABLE,
    LOCKING_SHIFT_TABLES,
    SINGLE_SHIFT_TABLES,
)

_CODES = {letter: bytes([code]) for code, letter in enumerate(BASIC_TABLE) if code != ESCAPE_CODE}
_CODES |= {letter: bytes([ESCAPE_CODE, code]) for code, letter in EXTENSION_TABLE.items()}
_CARRIAGE_RETURN = 0x0D


def encode_septets(text: str) -> bytes | None:
    """Encode a text with one septet per octet; None when a letter is not in GSM-7."""
    try:
        return b"".join([_CODES[letter] for letter in text])
    except KeyError:
        return None


def decode_septets(octets: bytes, locking: int = 0, single: int = 0) -> str:
    """Decode octets of one septet each; the highest bit is ignored.

    `locking` and `single` are the language identifiers of a UDH; of an unknown language the default tables
    are read. Behind an escape, a code that no table has is read in the default alphabet (23.038, 6.2.1).
    """
    basic = LOCKING_SHIFT_TABLES.get(locking, BASIC_TABLE)
    if ESCAPE_CODE not in octets and octets.isascii():
        return octets.decode("ascii").translate(_TRANSLATIONS.get(locking, _TRANSLATIONS[0]))
    extension = SINGLE_SHIFT_TABLES.get(single, EXTENSION_TABLE)
    letters, escaped = [], False
    for octet in octets:
        code = octet & 0x7F
        if code == ESCAPE_CODE and not escaped:
            escaped = True
            continue
        letters.append(extension.get(code, _printed(basic, code)) if escaped else basic[code])
        escaped = False
    return "".join(letters)


def _printed(basic: str, code: int) -> str:
    """Return a letter for a code behind an escape that the table does not know; an escape itself is a space."""
    return " " if code == ESCAPE_CODE else basic[code]


_TRANSLATIONS = {
    0: dict(enumerate(BASIC_TABLE)),
    **{language: dict(enumerate(table)) for language, table in LOCKING_SHIFT_TABLES.items()},
}


def pack_septets(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack septets, eight into seven octets (23.038, 6.1.2.1.1), behind `fill_bits` zero bits.

    Seven spare bits at the end hold a carriage return, so that they are not read as `@` (6.1.2.3.1).
    """
    if fill_bits == 0 and len(septets) % 8 == 7:
        septets += bytes([_CARRIAGE_RETURN])
    value = 0
    for place, septet in enumerate(septets):
        value |= (septet & 0x7F) << (7 * place)
    bits = 7 * len(septets) + fill_bits
    return (value << fill_bits).to_bytes((bits + 7) // 8, "little")


def unpack_septets(octets: bytes, fill_bits: int = 0) -> bytes:
    """Unpack packed septets; a carriage return that only fills the last octet is left out."""
    count = (8 * len(octets) - fill_bits) // 7
    value = int.from_bytes(octets, "little") >> fill_bits
    septets = bytes([(value >> (7 * place)) & 0x7F for place in range(count)])
    padded = fill_bits == 0 and count % 8 == 0 and count > 0 and septets[-1] == _CARRIAGE_RETURN
    return septets[:-1] if padded else septets
