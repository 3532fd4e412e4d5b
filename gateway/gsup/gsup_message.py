"""GSUP messages of USSD (PROC_SS): session, state and component, as the OsmoHLR manual has them."""

from collections.abc import Iterator
from dataclasses import field
from enum import IntEnum

from menus.model.value import value_dataclass

IMSI_DIGITS = range(6, 16)
"""How long an IMSI may be (3GPP TS 23.003, 2.2: at most 15 digits)."""
SESSION_ID_OCTETS = 4
_FILLER = "f"


class GsupType(IntEnum):
    """Types of the messages of a USSD session; any other belongs to location management."""

    REQUEST = 0x20
    ERROR = 0x21
    RESULT = 0x22


_KINDS = frozenset(GsupType)


class SessionPhase(IntEnum):
    """Where in its session a message stands."""

    BEGIN = 1
    CONTINUE = 2
    END = 3


class _Element(IntEnum):
    IMSI = 0x01
    CAUSE = 0x02
    SESSION_ID = 0x30
    SESSION_PHASE = 0x31
    COMPONENT = 0x35


class MalformedGsup(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the fields of a message do not fit its length or lack what a USSD session needs."""


@value_dataclass
class GsupMessage:
    """One message of a USSD session."""

    kind: GsupType
    imsi: str = field(repr=False)
    session_id: bytes
    phase: SessionPhase
    component: bytes = field(default=b"", repr=False)
    """The MAP component (3GPP TS 24.080); empty where there is none."""
    cause: int = 0
    """Cause of an error (3GPP TS 24.008, 10.5.5.14); 0 for none."""


def is_ussd_message(octets: bytes) -> bool:
    """Return whether a GSUP message belongs to a USSD session."""
    return bool(octets) and octets[0] in _KINDS


def decode_gsup(octets: bytes) -> GsupMessage:
    """Decode a message of a USSD session; unknown elements are skipped, of a repeated one the first counts.

    Raises MalformedGsup.
    """
    if not is_ussd_message(octets):
        raise MalformedGsup("it is no message of a USSD session")
    elements: dict[int, bytes] = {}
    for tag, value in _read_elements(octets):
        elements.setdefault(tag, value)
    return GsupMessage(
        GsupType(octets[0]),
        decode_imsi(elements.get(_Element.IMSI, b"")),
        _read_session_id(elements.get(_Element.SESSION_ID, b"")),
        _read_phase(elements.get(_Element.SESSION_PHASE, b"")),
        elements.get(_Element.COMPONENT, b""),
        int.from_bytes(elements.get(_Element.CAUSE, b"")[:1], "big"),
    )


def _read_elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each element: a tag and a length of one octet each, then the value."""
    start, end = 1, len(octets)
    while start < end:
        if end - start < 2:
            raise MalformedGsup("an element's header is cut short")
        tag, length = octets[start], octets[start + 1]
        start += 2
        if start + length > end:
            raise MalformedGsup(f"element {tag:#04x} says it has {length} octets, {end - start} are left")
        yield tag, octets[start : start + length]
        start += length


def _read_session_id(value: bytes) -> bytes:
    if len(value) != SESSION_ID_OCTETS:
        raise MalformedGsup(f"a session id of {len(value)} octets; {SESSION_ID_OCTETS} are right")
    return value


def _read_phase(value: bytes) -> SessionPhase:
    try:
        return SessionPhase(int.from_bytes(value, "big"))
    except ValueError:
        raise MalformedGsup("no session state that is known") from None


def encode_gsup(message: GsupMessage) -> bytes:
    """Encode a message; ValueError when an element has more than 255 octets."""
    elements = [
        (_Element.IMSI, encode_imsi(message.imsi)),
        *([(_Element.CAUSE, bytes([message.cause]))] if message.cause else []),
        (_Element.SESSION_ID, message.session_id),
        (_Element.SESSION_PHASE, bytes([message.phase])),
        *([(_Element.COMPONENT, message.component)] if message.component else []),
    ]
    return bytes([message.kind]) + b"".join([bytes([tag, len(value)]) + value for tag, value in elements])


def encode_imsi(imsi: str) -> bytes:
    """Encode an IMSI as swapped digits, two to an octet (3GPP TS 24.008, 10.5.1.4, without its type)."""
    padded = imsi + _FILLER * (len(imsi) % 2)
    return bytes([int(padded[at + 1] + padded[at], 16) for at in range(0, len(padded), 2)])


def decode_imsi(octets: bytes) -> str:
    """Decode an IMSI; MalformedGsup when it is none."""
    digits = "".join([f"{octet & 0x0F:x}{octet >> 4:x}" for octet in octets]).removesuffix(_FILLER)
    if not (digits.isdecimal() and len(digits) in IMSI_DIGITS):
        raise MalformedGsup("no IMSI")
    return digits
