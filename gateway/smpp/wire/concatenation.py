"""Long messages: split into parts by UDH, sar_ TLVs or message_payload, and parts put together again."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.smpp.wire.bodies import ShortMessage
from gateway.smpp.wire.data_coding import CodingRules, EncodedText, octets_for_wire
from gateway.smpp.wire.protocol import EsmClass, Tag

LongTextMethod = Literal["udh8", "udh16", "sar", "payload"]
"""How an SMSC takes long texts: a UDH with an 8 or 16 bit reference, sar_ TLVs, or message_payload."""
MAX_PARTS = 255
_ESCAPE = 0x1B
_CONCAT_8, _CONCAT_16, _SINGLE_SHIFT, _LOCKING_SHIFT = 0x00, 0x08, 0x24, 0x25
# Octets of one part: 140 packed, so 160 septets; a UDH of 6 or 7 octets takes 7 or 8 septets.
_SINGLE_UNITS: Mapping[str, int] = {"gsm7": 160, "latin1": 140, "ucs2": 140, "binary": 140}
_PART_UNITS: Mapping[LongTextMethod, Mapping[str, int]] = {
    "udh8": {"gsm7": 153, "latin1": 134, "ucs2": 134, "binary": 134},
    "udh16": {"gsm7": 152, "latin1": 133, "ucs2": 132, "binary": 133},
    "sar": {"gsm7": 153, "latin1": 134, "ucs2": 134, "binary": 134},
    "payload": {},
}


@dataclass(frozen=True, slots=True)
class TextPart:
    """One PDU's share of a text."""

    octets: bytes = field(repr=False)
    has_udh: bool = False
    tlvs: Mapping[int, bytes] = field(default_factory=dict)


def split_text(text: EncodedText, rules: CodingRules, method: LongTextMethod, reference: int) -> list[TextPart]:
    """Split an encoded text into what one PDU each carries; ValueError when it needs more than 255 parts.

    `reference` names the message in every part; 8 bits of it are used by `udh8`. An escaped letter and a
    surrogate pair are never split.
    """
    if len(text.octets) <= _SINGLE_UNITS[text.alphabet]:
        return [TextPart(octets_for_wire(text.octets, text.alphabet, rules))]
    if method == "payload":
        packed = octets_for_wire(text.octets, text.alphabet, rules)
        return [TextPart(b"", tlvs={Tag.MESSAGE_PAYLOAD: packed})]
    pieces = list(_cut_octets(text, _PART_UNITS[method][text.alphabet]))
    if len(pieces) > MAX_PARTS:
        raise ValueError(f"the text needs {len(pieces)} parts; 255 are possible")
    numbered = enumerate(pieces, 1)
    return [
        _build_part(piece, text, rules, method, (reference, len(pieces), number)) for number, piece in numbered
    ]


def _build_part(
    piece: bytes, text: EncodedText, rules: CodingRules, method: LongTextMethod, place: tuple[int, int, int]
) -> TextPart:
    reference, total, number = place
    if method == "sar":
        tlvs = {
            Tag.SAR_REFERENCE: reference.to_bytes(2, "big"),
            Tag.SAR_TOTAL: bytes([total]),
            Tag.SAR_NUMBER: bytes([number]),
        }
        return TextPart(octets_for_wire(piece, text.alphabet, rules), tlvs=tlvs)
    if method == "udh8":
        udh = bytes([5, _CONCAT_8, 3, reference & 0xFF, total, number])
    else:
        udh = bytes([6, _CONCAT_16, 4, *reference.to_bytes(2, "big"), total, number])
    return TextPart(udh + octets_for_wire(piece, text.alphabet, rules, len(udh)), has_udh=True)


def _cut_octets(text: EncodedText, units: int) -> Iterator[bytes]:
    start = 0
    while start < len(text.octets):
        end = min(start + units, len(text.octets))
        if end < len(text.octets) and _splits_letter(text, end):
            end -= 2 if text.alphabet == "ucs2" else 1
        yield text.octets[start:end]
        start = end


def _splits_letter(text: EncodedText, end: int) -> bool:
    """Return whether a cut here parts an escape from its letter, or the halves of a surrogate pair."""
    if text.alphabet == "ucs2":
        return 0xD8 <= text.octets[end - 2] <= 0xDB
    return text.alphabet == "gsm7" and text.octets[end - 1] == _ESCAPE


@dataclass(frozen=True, slots=True)
class PartPlace:
    """Which part of which message: its reference, how many there are, and this one's number from 1."""

    reference: int
    total: int
    number: int


@dataclass(frozen=True, slots=True)
class UserDataHeader:
    """What a UDH in front of a text says (3GPP TS 23.040, 9.2.3.24)."""

    octets: int = 0
    """Its length with the length octet."""
    place: PartPlace | None = None
    locking_shift: int = 0
    single_shift: int = 0


def read_udh(octets: bytes) -> UserDataHeader:
    """Read the UDH at the front of a text; elements that are cut short or unknown are ignored. Never raises."""
    length = octets[0] + 1 if octets else 0
    if not 1 < length <= len(octets):
        return UserDataHeader(min(length, len(octets)))
    elements = dict(_udh_elements(octets[1:length]))
    return UserDataHeader(
        length,
        _udh_place(elements),
        int.from_bytes(elements.get(_LOCKING_SHIFT, b"")[:1], "big"),
        int.from_bytes(elements.get(_SINGLE_SHIFT, b"")[:1], "big"),
    )


def _udh_elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(header):
        identifier, length = header[at], header[at + 1]
        yield identifier, header[at + 2 : at + 2 + length]
        at += 2 + length


def _udh_place(elements: Mapping[int, bytes]) -> PartPlace | None:
    short, long = elements.get(_CONCAT_8, b""), elements.get(_CONCAT_16, b"")
    if len(long) == 4:
        return _valid_place(int.from_bytes(long[:2], "big"), long[2], long[3])
    return _valid_place(*short) if len(short) == 3 else None


def _valid_place(reference: int, total: int, number: int) -> PartPlace | None:
    return PartPlace(reference, total, number) if 1 <= number <= total and total > 1 else None


def place_of(message: ShortMessage, udh: UserDataHeader) -> PartPlace | None:
    """Return which part a message is, by its UDH or its sar_ TLVs; None for a whole message."""
    if udh.place is not None:
        return udh.place
    numbers = [
        int.from_bytes(message.tlvs.get(tag, b""), "big")
        for tag in (Tag.SAR_REFERENCE, Tag.SAR_TOTAL, Tag.SAR_NUMBER)
    ]
    return _valid_place(*numbers)


@dataclass(slots=True)
class _PartialMessage:
    texts: dict[int, str]
    changed_at: float


class PartAssembler:
    """Puts the parts of long incoming messages together, in any order; parts that repeat count once.

    In memory: parts of an incomplete message are lost with the process. Shared by the binds of one account,
    because an SMSC may deliver each part over another.
    """

    def __init__(self, max_messages: int = 1000, max_age_seconds: float = 600.0) -> None:
        self._partial: OrderedDict[tuple[str, str, int, int], _PartialMessage] = OrderedDict()
        self._max_messages, self._max_age_seconds = max_messages, max_age_seconds

    def add_part(self, message: ShortMessage, place: PartPlace, text: str, now: float) -> str | None:
        """Add a part; return the whole text when it is complete. `now` in monotonic seconds.

        The parts stay until `forget_message`, so that a last part that is delivered again completes it again.
        """
        self._drop_oldest(now)
        key = _message_key(message, place)
        partial = self._partial.setdefault(key, _PartialMessage({}, now))
        partial.texts.setdefault(place.number, text)
        partial.changed_at = now
        self._partial.move_to_end(key)
        if len(partial.texts) < place.total:
            return None
        return "".join(partial.texts[number] for number in sorted(partial.texts))

    def forget_message(self, message: ShortMessage, place: PartPlace) -> None:
        """Forget the parts of a message that was taken."""
        self._partial.pop(_message_key(message, place), None)

    def _drop_oldest(self, now: float) -> None:
        while self._partial:
            oldest = next(iter(self._partial.values()))
            if len(self._partial) < self._max_messages and now - oldest.changed_at < self._max_age_seconds:
                return
            self._partial.popitem(last=False)


def _message_key(message: ShortMessage, place: PartPlace) -> tuple[str, str, int, int]:
    return message.source.number, message.destination.number, place.reference, place.total


def esm_class_of(part: TextPart) -> int:
    """Return the esm_class of a part: the UDH bit where it has one."""
    return EsmClass.UDH if part.has_udh else 0
