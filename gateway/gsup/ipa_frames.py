"""IPA multiplex: frames of a stream and its CCM messages, ping and identity (libosmo-abis)."""

import asyncio
import struct
from enum import IntEnum

from menus.model.value import value_dataclass

CCM_STREAM, OSMO_STREAM = 0xFE, 0xEE
CONTROL_EXTENSION, GSUP_EXTENSION = 0x00, 0x05
"""First octet of a payload of the Osmocom stream: what protocol it carries."""
_HEADER = struct.Struct(">HB")
_TAG_HEADER = struct.Struct(">HB")


class CcmType(IntEnum):
    """Message types of the CCM stream (IPA connection management)."""

    PING = 0x00
    PONG = 0x01
    IDENTITY_REQUEST = 0x04
    IDENTITY_RESPONSE = 0x05
    IDENTITY_ACKNOWLEDGEMENT = 0x06


class IdentityTag(IntEnum):
    """What an identity response names; osmo-hlr routes by the serial number, the others are for people."""

    SERIAL_NUMBER = 0
    UNIT_NAME = 1
    LOCATION = 2
    SOFTWARE_VERSION = 5
    MAC_ADDRESS = 7
    UNIT_ID = 8


@value_dataclass
class IpaFrame:
    """One frame: the stream it belongs to, and its payload of at most 65,535 octets."""

    stream: int
    payload: bytes


def encode_frame(stream: int, payload: bytes) -> bytes:
    """Encode a frame with its header; struct.error above 65,535 octets."""
    return _HEADER.pack(len(payload), stream) + payload


async def read_frame(reader: asyncio.StreamReader) -> IpaFrame:
    """Read the next frame; asyncio.IncompleteReadError when the stream ends, within a frame or before it."""
    length, stream = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    return IpaFrame(stream, await reader.readexactly(length))


def encode_ccm(kind: CcmType) -> bytes:
    """Encode a CCM message without a body."""
    return encode_frame(CCM_STREAM, bytes([kind]))


def encode_identity(name: str) -> bytes:
    """Encode the response to an identity request: `name` is what the HLR routes to."""
    told = {
        IdentityTag.UNIT_ID: "0/0/0",
        IdentityTag.MAC_ADDRESS: "00:00:00:00:00:00",
        IdentityTag.LOCATION: name,
        IdentityTag.SOFTWARE_VERSION: "dialtree",
        IdentityTag.UNIT_NAME: name,
        IdentityTag.SERIAL_NUMBER: name,
    }
    parts = [_encode_tag(tag, text) for tag, text in told.items()]
    return encode_frame(CCM_STREAM, bytes([CcmType.IDENTITY_RESPONSE]) + b"".join(parts))


def _encode_tag(tag: IdentityTag, text: str) -> bytes:
    """Encode one text of an identity; its length counts the tag."""
    value = text.encode() + b"\0"
    return _TAG_HEADER.pack(len(value) + 1, tag) + value
