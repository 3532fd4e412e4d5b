"""A server of tests on the simulated SMSC's connections: it decides and sees each delivery and submit."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from gateway.demo.smsc.esme_connection import EsmeConnection
from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.smpp.wire.bodies import (
    ShortMessage,
    decode_short_message,
    encode_message_id,
    encode_short_message,
)
from gateway.smpp.wire.pdu import Pdu, encode_response
from gateway.smpp.wire.protocol import Command, Status


class EsmePeer(EsmeConnection):
    """One ESME, as the SMSC sees it; its deliveries can be awaited one by one."""

    def __init__(self, server: "SmscServer") -> None:
        super().__init__(server.modes, server.take_pdu, server.note_change)
        self.server = server
        self.waiting: dict[int, asyncio.Future[Pdu]] = {}

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the ESME is gone"))
        super().connection_lost(exc)

    def _bind_status(self, pdu: Pdu) -> int:
        status = super()._bind_status(pdu)
        if status != Status.OK:
            self.server.refused_binds += 1
            self.server.changed.set()
        return status

    async def deliver(self, message: ShortMessage) -> int:
        """Deliver a message and return the status it was answered with; ConnectionError when it never was."""
        sequence = self.send_request(Command.DELIVER_SM, encode_short_message(message, Command.DELIVER_SM))
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self.waiting[sequence] = answer
        return (await answer).status


@dataclass(slots=True)
class SmscServer:
    """Listens on loopback; `submits` holds what ESMEs submitted."""

    modes: SmscModes = field(default_factory=SmscModes)
    port: int = 0
    connections: list[EsmePeer] = field(default_factory=list)
    """Bound ESMEs."""
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
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: EsmePeer(self), "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away: no new connections, and the old ones are reset."""
        if self.server:
            self.server.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        for each in list(self.connections):
            each.drop()

    async def bound(self) -> EsmePeer:
        """Return the connection that takes messages, once an ESME is bound."""
        await self.wait_until(lambda: bool(self.receivers))
        return self.receivers[-1]

    @property
    def receivers(self) -> list[EsmePeer]:
        return [each for each in self.connections if each.takes_messages]

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return once it holds of this SMSC: after a bind, a submit or the end of a connection."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()

    def note_change(self, connection: EsmeConnection) -> None:
        """Note a bind, or the end of a connection."""
        assert isinstance(connection, EsmePeer)
        if connection.bind_kind:
            self.connections.append(connection)
            self.most_at_once = max(self.most_at_once, len(self.connections))
        elif connection in self.connections:
            self.connections.remove(connection)
        self.changed.set()

    def take_pdu(self, connection: EsmeConnection, pdu: Pdu) -> None:
        """Take an answer or a submit; any other request is only answered."""
        assert isinstance(connection, EsmePeer)
        if pdu.is_response:
            if (answer := connection.waiting.pop(pdu.sequence, None)) and not answer.done():
                answer.set_result(pdu)
        elif pdu.command == Command.SUBMIT_SM:
            self.take_submit(connection, pdu)
        else:
            connection.write(encode_response(pdu))

    def take_submit(self, connection: EsmePeer, pdu: Pdu) -> None:
        message = decode_short_message(pdu.command, pdu.body)
        self.taken.append(message)
        self.changed.set()
        status = self.status_for(message)
        if status is None:
            return
        body = encode_message_id(f"{next(self.ids):x}") if status == Status.OK else b""
        connection.write(encode_response(pdu, status, body))
        if status == Status.OK:
            self.submits.put_nowait(message)


def pack_number(value: int) -> bytes:
    """Return a 16-bit TLV value."""
    return struct.pack(">H", value)


@asynccontextmanager
async def serve_smsc(password: str = "secret", port: int = 0) -> AsyncIterator[SmscServer]:
    """Serve an SMSC on loopback."""
    smsc = SmscServer(SmscModes(password=password), port)
    await smsc.start()
    try:
        yield smsc
    finally:
        await smsc.stop()
