"""An SMSC for tests: a server on loopback that binds, delivers and takes submits, or refuses to."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from gateway.smpp.wire.bodies import (
    ShortMessage,
    decode_bind,
    decode_short_message,
    encode_bind_response,
    encode_message_id,
    encode_short_message,
)
from gateway.smpp.wire.pdu import Pdu, PduFramer, encode_pdu, encode_response
from gateway.smpp.wire.protocol import Command, Status

BINDS = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER)


@dataclass(slots=True, eq=False)
class EsmeConnection:
    """One bound ESME, as the SMSC sees it."""

    server: "SmscServer" = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    system_id: str = ""
    command: int = 0
    sequences: "count[int]" = field(default_factory=lambda: count(1))
    waiting: dict[int, "asyncio.Future[Pdu]"] = field(default_factory=dict)

    def take_pdu(self, pdu: Pdu) -> None:
        if pdu.is_response:
            if (answer := self.waiting.pop(pdu.sequence, None)) and not answer.done():
                answer.set_result(pdu)
        elif pdu.command in BINDS:
            self.bind(pdu)
        elif pdu.command == Command.SUBMIT_SM:
            self.server.take_submit(self, pdu)
        elif pdu.command == Command.UNBIND:
            self.writer.write(encode_response(pdu))
            self.writer.close()
        else:
            self.writer.write(encode_response(pdu))

    def bind(self, pdu: Pdu) -> None:
        fields = decode_bind(pdu.body)
        if fields.password != self.server.password:
            self.server.refused_binds += 1
            self.server.changed.set()
            self.writer.write(encode_response(pdu, Status.INVALID_PASSWORD))
            return
        self.system_id, self.command = fields.system_id, pdu.command
        self.writer.write(encode_response(pdu, Status.OK, encode_bind_response("SMSC")))
        self.server.connections.append(self)
        self.server.most_at_once = max(self.server.most_at_once, len(self.server.connections))
        self.server.changed.set()

    async def deliver(self, message: ShortMessage) -> int:
        """Deliver a message and return the status it was answered with; ConnectionError when it never was."""
        sequence = next(self.sequences)
        answer = self.waiting[sequence] = asyncio.get_running_loop().create_future()
        body = encode_short_message(message, Command.DELIVER_SM)
        self.writer.write(encode_pdu(Pdu(Command.DELIVER_SM, 0, sequence, body)))
        response: Pdu = await answer
        return response.status


@dataclass(slots=True)
class SmscServer:
    """Listens on loopback; `submits` holds what ESMEs submitted."""

    password: str = "secret"
    port: int = 0
    connections: list[EsmeConnection] = field(default_factory=list)
    submits: "asyncio.Queue[ShortMessage]" = field(default_factory=asyncio.Queue)
    status_for: Callable[[ShortMessage], int | None] = lambda message: Status.OK
    """The status a submit is answered with; None for never."""
    taken: list[ShortMessage] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    refused_binds: int = 0
    most_at_once: int = 0
    ids: "count[int]" = field(default_factory=lambda: count(0x1A2B1))
    server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away: no new connections, and the old ones are reset."""
        if self.server:
            self.server.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        for each in list(self.connections):
            each.writer.transport.abort()

    async def bound(self) -> EsmeConnection:
        """Return the connection that takes messages, once an ESME is bound."""
        await self.wait_until(lambda: bool(self.receivers))
        return self.receivers[-1]

    @property
    def receivers(self) -> list[EsmeConnection]:
        return [each for each in self.connections if each.command != Command.BIND_TRANSMITTER]

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return once it holds of this SMSC: after a bind, a submit or the end of a connection."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()

    def take_submit(self, connection: EsmeConnection, pdu: Pdu) -> None:
        message = decode_short_message(pdu.command, pdu.body)
        self.taken.append(message)
        self.changed.set()
        status = self.status_for(message)
        if status is None:
            return
        body = encode_message_id(f"{next(self.ids):x}") if status == Status.OK else b""
        connection.writer.write(encode_response(pdu, status, body))
        if status == Status.OK:
            self.submits.put_nowait(message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, framer = EsmeConnection(self, writer), PduFramer()
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                for pdu in framer.feed(data):
                    connection.take_pdu(pdu)
        if connection in self.connections:
            self.connections.remove(connection)
        for answer in connection.waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the ESME is gone"))
        self.changed.set()
        writer.close()


def pack_number(value: int) -> bytes:
    """Return a 16-bit TLV value."""
    return struct.pack(">H", value)


@asynccontextmanager
async def serve_smsc(password: str = "secret", port: int = 0) -> AsyncIterator[SmscServer]:
    """Serve an SMSC on loopback."""
    smsc = SmscServer(password, port)
    await smsc.start()
    try:
        yield smsc
    finally:
        await smsc.stop()
