"""The VLR side of an HLR: an MSC with one subscriber's phone, who dials codes and presses keys over GSUP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from gateway.gsup.gsup_message import GsupMessage, GsupType, SessionPhase, decode_gsup, encode_gsup
from gateway.gsup.ipa_frames import (
    CCM_STREAM,
    GSUP_EXTENSION,
    OSMO_STREAM,
    CcmType,
    encode_ccm,
    encode_frame,
    encode_identity,
    read_frame,
)
from gateway.gsup.ussd_component import (
    ComponentType,
    UssdComponent,
    UssdOperation,
    decode_component,
    encode_component,
)
from gateway.gsup.ussd_text import decode_ussd_text, encode_ussd_text
from tests.support.osmo_hlr import ANA_IMSI, GSUP_PORT

ANSWER_SECONDS = 30.0
FIRST_INVOKE_ID = 7
"""Unlike ours: an answer has to repeat it."""
SESSION_NUMBERS = count(0x2000_0001)
"""Shared by all peers: an HLR remembers a session left open until its guard timer."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """What the phone shows; `cause` is set where the network ended the session with an error instead."""

    text: str = ""
    ends: bool = False
    cause: int = 0


@dataclass(slots=True)
class VlrPeer:
    """One MSC and the phone it serves."""

    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    name: str = "MSC-00-00-00-00-00-01"
    imsi: str = ANA_IMSI
    received: "asyncio.Queue[GsupMessage]" = field(default_factory=asyncio.Queue, repr=False)
    known: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    numbers: Iterator[int] = field(default=SESSION_NUMBERS, repr=False)
    session_id: bytes = b""
    invoke_id: int = FIRST_INVOKE_ID
    last: GsupMessage | None = None

    async def read_frames(self) -> None:
        """Answer the HLR's pings and identity request; queue the messages of sessions."""
        while True:
            frame = await read_frame(self.reader)
            if frame.stream == CCM_STREAM and frame.payload[:1] == bytes([CcmType.PING]):
                self.writer.write(encode_ccm(CcmType.PONG))
            if frame.stream == CCM_STREAM and frame.payload[:1] == bytes([CcmType.IDENTITY_REQUEST]):
                self.writer.write(encode_identity(self.name))
                self.known.set()
            if frame.stream == OSMO_STREAM and frame.payload[:1] == bytes([GSUP_EXTENSION]):
                self.received.put_nowait(decode_gsup(frame.payload[1:]))

    def send(self, message: GsupMessage) -> None:
        self.last = message
        payload = bytes([GSUP_EXTENSION]) + encode_gsup(message)
        self.writer.write(encode_frame(OSMO_STREAM, payload))

    async def dial(self, code: str) -> ShownText:
        """Dial a code in a new session and return what the phone shows."""
        self.session_id, self.invoke_id = next(self.numbers).to_bytes(4, "big"), FIRST_INVOKE_ID
        component = self.write_text(ComponentType.INVOKE, UssdOperation.PROCESS_REQUEST, code)
        self.send(GsupMessage(GsupType.REQUEST, self.imsi, self.session_id, SessionPhase.BEGIN, component))
        return await self.read_screen()

    async def press(self, keys: str) -> ShownText:
        self.send_keys(keys)
        return await self.read_screen()

    def send_keys(self, keys: str) -> None:
        """Answer the screen, as osmo-msc does: in a message of type request."""
        component = self.write_text(ComponentType.RETURN_RESULT, UssdOperation.REQUEST, keys)
        self.send(GsupMessage(GsupType.REQUEST, self.imsi, self.session_id, SessionPhase.CONTINUE, component))

    def write_text(self, kind: ComponentType, operation: UssdOperation, text: str) -> bytes:
        return encode_component(UssdComponent(kind, self.invoke_id, operation, *encode_ussd_text(text)))

    async def read_screen(self) -> ShownText:
        """Return what the phone shows next in this USSD dialogue."""
        async with asyncio.timeout(ANSWER_SECONDS):
            message = await self.received.get()
        assert message.session_id == self.session_id
        if message.kind is GsupType.ERROR or not message.component:
            return ShownText(ends=True, cause=message.cause)
        component = decode_component(message.component)
        text = decode_ussd_text(component.octets, component.data_coding)
        if message.phase is SessionPhase.CONTINUE:
            assert (component.kind, component.operation) == (ComponentType.INVOKE, UssdOperation.REQUEST)
            self.invoke_id = component.invoke_id
            return ShownText(text)
        assert (component.kind, component.operation) == (
            ComponentType.RETURN_RESULT,
            UssdOperation.PROCESS_REQUEST,
        )
        assert component.invoke_id == FIRST_INVOKE_ID
        return ShownText(text, ends=True)


@asynccontextmanager
async def connect_vlr(host: str, name: str = "MSC-00-00-00-00-00-01") -> AsyncIterator[VlrPeer]:
    """Connect an MSC to the HLR at an address."""
    reader, writer = await asyncio.open_connection(host, GSUP_PORT)
    peer = VlrPeer(reader, writer, name)
    reading = asyncio.create_task(peer.read_frames())
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await peer.known.wait()
        yield peer
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
