"""A server of tests in an HLR's place: does on purpose what a real one does only when something is broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.gsup.gsup_message import GsupMessage, GsupType, SessionPhase, decode_gsup, encode_gsup
from gateway.gsup.hlr_settings import HlrSettings
from gateway.gsup.ipa_frames import (
    CCM_STREAM,
    CONTROL_EXTENSION,
    GSUP_EXTENSION,
    OSMO_STREAM,
    CcmType,
    encode_ccm,
    encode_frame,
    read_frame,
)
from gateway.gsup.ussd_component import ComponentType, UssdComponent, UssdOperation, encode_component
from gateway.gsup.ussd_text import encode_ussd_text
from tests.support.osmo_hlr import ANA, ANA_IMSI

TEST_SECONDS = 30.0


def write_dial(code: str, session_id: bytes = b"\x20\0\0\1") -> GsupMessage:
    """Return the first message of a session."""
    string = encode_ussd_text(code)
    component = UssdComponent(ComponentType.INVOKE, 7, UssdOperation.PROCESS_REQUEST, *string)
    begin = SessionPhase.BEGIN
    return GsupMessage(GsupType.REQUEST, ANA_IMSI, session_id, begin, encode_component(component))


@dataclass(slots=True)
class FakeHlr:
    """Takes entities; notes their names, pongs and messages; says what a test tells it to."""

    control_answer: bytes | None = b"GET_REPLY 1 subscriber.info\nimsi\t1\nmsisdn\t" + ANA[1:].encode()
    """Answer to each look-up; None for silence."""
    answers_pings: bool = True
    asks_identity: bool = True
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    identities: list[bytes] = field(default_factory=list)
    pongs: int = 0
    pings: int = 0
    connections: int = 0
    received: "asyncio.Queue[GsupMessage]" = field(default_factory=asyncio.Queue)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    control_port: int = 0

    async def serve_entity(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        if self.asks_identity:
            writer.write(encode_frame(CCM_STREAM, bytes([CcmType.IDENTITY_REQUEST, 1, 8])))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.take_frame(writer, *(await self.read_parts(reader)))
        self.writers.remove(writer)
        writer.close()
        self.note_change()

    @staticmethod
    async def read_parts(reader: asyncio.StreamReader) -> tuple[int, bytes]:
        frame = await read_frame(reader)
        return frame.stream, frame.payload

    def take_frame(self, writer: asyncio.StreamWriter, stream: int, payload: bytes) -> None:
        if stream == OSMO_STREAM and payload[:1] == bytes([GSUP_EXTENSION]):
            self.received.put_nowait(decode_gsup(payload[1:]))
        if stream == CCM_STREAM and payload[0] == CcmType.IDENTITY_RESPONSE:
            self.identities.append(payload)
        if stream == CCM_STREAM and payload[0] == CcmType.PONG:
            self.pongs += 1
        if stream == CCM_STREAM and payload[0] == CcmType.PING:
            self.pings += 1
            if self.answers_pings:
                writer.write(encode_ccm(CcmType.PONG))
        self.note_change()

    async def serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await read_frame(reader)
            if self.control_answer is not None:
                trap = encode_frame(OSMO_STREAM, bytes([CONTROL_EXTENSION]) + b"TRAP 0 something 1")
                writer.write(trap + encode_frame(OSMO_STREAM, bytes([CONTROL_EXTENSION]) + self.control_answer))
            await reader.read()
        writer.close()

    def note_change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def identified(self, times: int = 1) -> None:
        """Wait until entities have named themselves so often."""
        async with asyncio.timeout(TEST_SECONDS):
            while len(self.identities) < times:
                await self.changed.wait()

    def write(self, octets: bytes) -> None:
        """Write octets to the entity that came last."""
        self.writers[-1].write(octets)

    def send(self, message: GsupMessage) -> None:
        self.send_octets(encode_gsup(message))

    def send_octets(self, gsup: bytes) -> None:
        self.write(encode_frame(OSMO_STREAM, bytes([GSUP_EXTENSION]) + gsup))

    async def next_message(self) -> GsupMessage:
        return await asyncio.wait_for(self.received.get(), TEST_SECONDS)

    def settings(self, **more: float) -> HlrSettings:
        """Return the settings of an entity of it, with short times."""
        times = {"answer_seconds": 20.0, "longest_wait_seconds": 0.01, **more}
        return HlrSettings(
            "127.0.0.1", self.port, "dialtree", "orange-ro", control_port=self.control_port, **times
        )


@asynccontextmanager
async def serve_fake_hlr() -> AsyncIterator[FakeHlr]:
    """Serve on two ports of loopback that the kernel chooses."""
    hlr = FakeHlr()
    entities = await asyncio.start_server(hlr.serve_entity, "127.0.0.1", 0)
    control = await asyncio.start_server(hlr.serve_control, "127.0.0.1", 0)
    hlr.port, hlr.control_port = (each.sockets[0].getsockname()[1] for each in (entities, control))
    try:
        yield hlr
    finally:
        for server in (entities, control):
            server.close()
        for writer in list(hlr.writers):
            writer.close()
