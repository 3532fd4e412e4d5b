"""Signalling of a base station controller: SCCP (ITU-T Q.713) in M3UA (RFC 4666) over TCP.

Only what one BSC with one connection at a time needs: registering with a routing key, a unit to reset the MSC,
connections with data. Lengths above 255 octets do not occur.
"""

import asyncio
import struct
from dataclasses import dataclass, field
from enum import IntEnum

MSC_POINT_CODE, BSC_POINT_CODE = 185, 187
"""0.23.1 and 0.23.3."""
BSSAP_SUBSYSTEM, SCCP_SERVICE, NATIONAL = 0xFE, 3, 0
ROUTING_CONTEXT, TRAFFIC_MODE, ROUTING_KEY, REGISTRATION_RESULT = 0x0006, 0x000B, 0x0207, 0x0208
LOCAL_KEY, DESTINATION_POINT_CODE, PROTOCOL_DATA, REGISTRATION_STATUS = 0x020A, 0x020B, 0x0210, 0x0212
LOAD_SHARE = b"\0\0\0\2"
ANSWER_SECONDS = 20.0

ASP_UP, ASP_UP_ACK, BEAT, BEAT_ACK = (3, 1), (3, 4), (3, 3), (3, 6)
ASP_ACTIVE, ASP_ACTIVE_ACK = (4, 1), (4, 3)
REGISTER, REGISTERED, DATA = (9, 1), (9, 2), (1, 1)


class SccpType(IntEnum):
    """Messages of SCCP."""

    CONNECT = 1
    CONFIRM = 2
    REFUSED = 3
    RELEASED = 4
    RELEASE_COMPLETE = 5
    DATA_FORM = 6
    UNIT = 9


OPTIONAL_DATA, OPTIONAL_CALLING = 0x0F, 0x04


def with_length(value: bytes) -> bytes:
    """Return a value behind its length."""
    return bytes([len(value)]) + value


def encode_parameter(tag: int, value: bytes) -> bytes:
    return struct.pack(">HH", tag, len(value) + 4) + value + b"\0" * (-len(value) % 4)


def encode_message(kind: tuple[int, int], *parameters: bytes) -> bytes:
    body = b"".join(parameters)
    return struct.pack(">BBBBI", 1, 0, *kind, len(body) + 8) + body


def decode_parameters(body: bytes) -> dict[int, bytes]:
    found, start = {}, 0
    while start + 4 <= len(body):
        tag, size = struct.unpack_from(">HH", body, start)
        found[tag] = body[start + 4 : start + size]
        start += size + (-size % 4)
    return found


def encode_address(point_code: int) -> bytes:
    """Return an address: routed on subsystem number, with its point code."""
    return b"\x43" + struct.pack("<H", point_code) + bytes([BSSAP_SUBSYSTEM])


@dataclass(slots=True)
class SignallingLink:
    """The BSC's association with the router, registered as its point code."""

    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    context: bytes = b""

    async def register(self) -> None:
        """Come up, register our point code and become active."""
        self.writer.write(encode_message(ASP_UP))
        await self.expect(ASP_UP_ACK)
        point_code = encode_parameter(DESTINATION_POINT_CODE, struct.pack(">I", BSC_POINT_CODE))
        key = encode_parameter(LOCAL_KEY, b"\0\0\0\1") + encode_parameter(TRAFFIC_MODE, LOAD_SHARE) + point_code
        self.writer.write(encode_message(REGISTER, encode_parameter(ROUTING_KEY, key)))
        result = decode_parameters((await self.expect(REGISTERED))[REGISTRATION_RESULT])
        assert not any(result[REGISTRATION_STATUS]), "the router refuses the point code"
        self.context = encode_parameter(ROUTING_CONTEXT, result[ROUTING_CONTEXT])
        mode = encode_parameter(TRAFFIC_MODE, LOAD_SHARE)
        self.writer.write(encode_message(ASP_ACTIVE, mode, self.context))
        await self.expect(ASP_ACTIVE_ACK)

    async def expect(self, kind: tuple[int, int]) -> dict[int, bytes]:
        """Return the parameters of the next message of a kind."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                found, parameters = await self.read_message()
                if found == kind:
                    return parameters

    async def read_message(self) -> tuple[tuple[int, int], dict[int, bytes]]:
        _, _, group, kind, size = struct.unpack(">BBBBI", await self.reader.readexactly(8))
        return (group, kind), decode_parameters(await self.reader.readexactly(size - 8))

    async def read_sccp(self) -> bytes:
        """Return the next SCCP message; heartbeats are answered."""
        while True:
            kind, parameters = await self.read_message()
            if kind == BEAT:
                sent = [encode_parameter(tag, value) for tag, value in parameters.items()]
                self.writer.write(encode_message(BEAT_ACK, *sent))
            if kind == DATA:
                return parameters[PROTOCOL_DATA][12:]

    def send_sccp(self, sccp: bytes) -> None:
        label = struct.pack(">IIBBBB", BSC_POINT_CODE, MSC_POINT_CODE, SCCP_SERVICE, NATIONAL, 0, 1)
        self.writer.write(encode_message(DATA, self.context, encode_parameter(PROTOCOL_DATA, label + sccp)))

    def send_unit(self, data: bytes) -> None:
        """Send data outside a connection; each pointer counts from its own octet."""
        called, calling = (
            with_length(encode_address(MSC_POINT_CODE)),
            with_length(encode_address(BSC_POINT_CODE)),
        )
        pointers = bytes([3, 2 + len(called), 1 + len(called) + len(calling)])
        self.send_sccp(bytes([SccpType.UNIT, 0]) + pointers + called + calling + with_length(data))

    def open_connection(self, reference: bytes, data: bytes) -> None:
        called = with_length(encode_address(MSC_POINT_CODE))
        calling = bytes([OPTIONAL_CALLING]) + with_length(encode_address(BSC_POINT_CODE))
        optional = calling + bytes([OPTIONAL_DATA]) + with_length(data) + b"\0"
        head = bytes([SccpType.CONNECT]) + reference + bytes([2, 2, 1 + len(called)])
        self.send_sccp(head + called + optional)

    def send_data(self, peer: bytes, data: bytes) -> None:
        self.send_sccp(bytes([SccpType.DATA_FORM]) + peer + b"\0\1" + with_length(data))


def optional_data(message: bytes, pointer_at: int) -> bytes:
    """Return the data among a message's optional parts; empty where there is none."""
    start = pointer_at + message[pointer_at] if message[pointer_at] else len(message)
    while start + 1 < len(message) and message[start]:
        if message[start] == OPTIONAL_DATA:
            return message[start + 2 : start + 2 + message[start + 1]]
        start += 2 + message[start + 1]
    return b""


def variable_part(message: bytes, pointer_at: int) -> bytes:
    """Return the part of variable length a pointer leads to."""
    start = pointer_at + message[pointer_at]
    return message[start + 1 : start + 1 + message[start]]
