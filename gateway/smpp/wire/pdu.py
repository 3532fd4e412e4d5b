"""PDUs on the wire: the 16-octet header, splitting a byte stream into PDUs, C-octet strings and TLVs."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from gateway.smpp.wire.protocol import Command
from menus.model.value import value_dataclass

HEADER_OCTETS = 16
MAX_PDU_OCTETS = 66_560
"""Largest PDU accepted: a message_payload of 65,535 octets and its fields."""
MAX_TLVS = 64
"""Most TLVs of a PDU; those behind them are not read."""

_HEADER = struct.Struct(">IIII")
_TLV_HEADER = struct.Struct(">HH")


class MalformedPdu(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the fields of a PDU do not fit its length or SMPP's limits; the stream itself is intact."""


class LostFraming(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when a length is impossible: nothing tells where the next PDU begins."""


@value_dataclass
class Pdu:
    """One PDU with its body as received."""

    command: int
    status: int
    sequence: int
    body: bytes = field(default=b"", repr=False)

    @property
    def is_response(self) -> bool:
        """Whether it answers a request; generic_nack does."""
        return self.command >= Command.RESPONSE_BIT


def encode_pdu(pdu: Pdu) -> bytes:
    """Encode a PDU with its header."""
    return _HEADER.pack(HEADER_OCTETS + len(pdu.body), pdu.command, pdu.status, pdu.sequence) + pdu.body


def encode_response(request: Pdu, status: int = 0, body: bytes = b"") -> bytes:
    """Encode the response to a request: its command with the response bit, its sequence number."""
    command = request.command | Command.RESPONSE_BIT
    return _HEADER.pack(HEADER_OCTETS + len(body), command, status, request.sequence) + body


class PduFramer:
    """Splits a byte stream into PDUs; holds at most one incomplete PDU."""

    def __init__(self, max_octets: int = MAX_PDU_OCTETS) -> None:
        self._rest = b""
        self._max_octets = max_octets

    def feed(self, data: bytes) -> Iterator[Pdu]:
        """Yield the PDUs that are complete with this data; LostFraming at an impossible length.

        Consume it entirely before the next call.
        """
        data, self._rest = (self._rest + data if self._rest else data), b""
        start, end = 0, len(data)
        while end - start >= HEADER_OCTETS:
            length, command, status, sequence = _HEADER.unpack_from(data, start)
            self._check_length(length)
            if start + length > end:
                break
            yield Pdu(command, status, sequence, data[start + HEADER_OCTETS : start + length])
            start += length
        self._keep_rest(data[start:])

    def _keep_rest(self, rest: bytes) -> None:
        if len(rest) >= 4:
            self._check_length(int.from_bytes(rest[:4], "big"))
        self._rest = rest

    def _check_length(self, length: int) -> None:
        if not HEADER_OCTETS <= length <= self._max_octets:
            raise LostFraming(f"a PDU says it has {length} octets")


def read_cstring(body: bytes, start: int, max_octets: int) -> tuple[bytes, int]:
    """Read a C-octet string; return it without its NUL, and where the next field starts.

    `max_octets` counts the NUL; MalformedPdu when none lies within them.
    """
    end = body.find(b"\0", start, start + max_octets)
    if end < 0:
        raise MalformedPdu(f"no end of a string within {max_octets} octets at octet {start}")
    return body[start:end], end + 1


def read_tlvs(body: bytes, start: int) -> dict[int, bytes]:
    """Read the TLVs to the body's end: of repeated tags the first; MalformedPdu when one is cut short."""
    tlvs: dict[int, bytes] = {}
    end = len(body)
    while start < end and len(tlvs) < MAX_TLVS:
        if end - start < 4:
            raise MalformedPdu("a TLV's header is cut short")
        tag, length = _TLV_HEADER.unpack_from(body, start)
        start += 4
        if start + length > end:
            raise MalformedPdu(f"TLV {tag:#06x} says it has {length} octets, {end - start} are left")
        tlvs.setdefault(tag, body[start : start + length])
        start += length
    return tlvs


def encode_tlvs(tlvs: Mapping[int, bytes] | Iterable[tuple[int, bytes]]) -> bytes:
    """Encode TLVs in their order; ValueError when a value has more than 65,535 octets."""
    pairs = tlvs.items() if isinstance(tlvs, Mapping) else tlvs
    return b"".join([encode_tlv(tag, value) for tag, value in pairs])


def encode_tlv(tag: int, value: bytes) -> bytes:
    """Encode one TLV; ValueError when its value has more than 65,535 octets."""
    if len(value) > 0xFFFF:
        raise ValueError(f"TLV {tag:#06x} has {len(value)} octets; 65,535 fit")
    return _TLV_HEADER.pack(tag, len(value)) + value
