"""The simulated SMSC: routes between ESMEs and phones, answers submits, sends receipts."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.demo.smsc.esme_connection import EsmeConnection
from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.http.listening import name_taken_port
from gateway.smpp.wire.bodies import (
    ShortMessage,
    decode_short_message,
    encode_message_id,
    encode_short_message,
)
from gateway.smpp.wire.pdu import MalformedPdu, Pdu, encode_pdu, encode_response
from gateway.smpp.wire.protocol import Command, EsmClass, Status, Tag

_FOREIGN_SEQUENCE = 0x7F000012
_DELIVERED = 2


@dataclass(slots=True)
class _Delivery:
    """A deliver_sm on its way to an ESME; it is sent again until an ESME takes it."""

    body: bytes
    taken: "asyncio.Future[int]"
    connection: EsmeConnection | None = None
    sequence: int = 0
    attempts: int = 0


@dataclass(slots=True)
class SmscSimulator:
    """One SMSC on one port of loopback; phones are callbacks on `on_submit`."""

    modes: SmscModes = field(default_factory=SmscModes)
    on_submit: "Callable[[ShortMessage], None]" = lambda _message: None
    """Called with every accepted submit_sm that is no receipt."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    connections: list[EsmeConnection] = field(default_factory=list)
    submits: list[ShortMessage] = field(default_factory=list)
    """Accepted submits, oldest first."""
    statuses: list[int] = field(default_factory=list)
    """Statuses ESMEs answered deliver_sm with."""
    _deliveries: list[_Delivery] = field(default_factory=list)
    _held: list[tuple[EsmeConnection, bytes]] = field(default_factory=list)
    _count: int = 0
    _next_id: int = 1715004
    _tasks: set["asyncio.Task[int]"] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serve(
        self, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[int]:
        """Serve for the duration of the block and yield the port; PortTakenError when another has it."""
        loop = asyncio.get_running_loop()
        with name_taken_port("--port or SMSC_PORT", host, port):
            server = await loop.create_server(self._accept, host, port, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            for connection in list(self.connections):
                connection.drop()

    def _accept(self) -> EsmeConnection:
        connection = EsmeConnection(self.modes, self._take_pdu, self._note_change)
        self.connections.append(connection)
        return connection

    def _note_change(self, connection: EsmeConnection) -> None:
        if not connection.bind_kind and connection in self.connections:
            self.connections.remove(connection)
        for delivery in self._deliveries:
            if delivery.connection is None or not delivery.connection.bind_kind:
                self._send_delivery(delivery)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_bind(self) -> None:
        """Return when an ESME that takes messages is bound."""
        while not any(connection.takes_messages for connection in self.connections):
            await self._changed.wait()

    async def deliver(self, message: ShortMessage) -> int:
        """Deliver a message and return the status an ESME answered; again after each lost connection."""
        delivery = _Delivery(
            encode_short_message(message, Command.DELIVER_SM), asyncio.get_running_loop().create_future()
        )
        self._deliveries.append(delivery)
        self._send_delivery(delivery)
        try:
            return await delivery.taken
        finally:
            self._deliveries.remove(delivery)

    def _send_delivery(self, delivery: _Delivery) -> None:
        ready = [connection for connection in self.connections if connection.takes_messages]
        if ready:
            delivery.connection, delivery.attempts = ready[-1], delivery.attempts + 1
            delivery.sequence = delivery.connection.send_request(Command.DELIVER_SM, delivery.body)

    def _take_pdu(self, connection: EsmeConnection, pdu: Pdu) -> None:
        if pdu.command == Command.DELIVER_SM | Command.RESPONSE_BIT:
            self._take_answer(connection, pdu)
        elif pdu.command == Command.SUBMIT_SM:
            self._take_submit(connection, pdu)
        elif not pdu.is_response:
            connection.write(encode_pdu(Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, pdu.sequence)))

    def _take_answer(self, connection: EsmeConnection, pdu: Pdu) -> None:
        if self.modes.lose_answers > 0:
            self.modes.lose_answers -= 1
            connection.drop()
            return
        for delivery in self._deliveries:
            if (delivery.connection, delivery.sequence) == (connection, pdu.sequence):
                self.statuses.append(pdu.status)
                delivery.connection = connection
                if not delivery.taken.done():
                    delivery.taken.set_result(pdu.status)

    def _take_submit(self, connection: EsmeConnection, pdu: Pdu) -> None:
        self._count += 1
        try:
            message = decode_short_message(pdu.command, pdu.body)
        except MalformedPdu:
            self._answer(connection, encode_response(pdu, Status.SYSTEM_ERROR))
            return
        if self._is_unanswered(connection):
            return
        status = self._status_for()
        if status != Status.OK:
            self._answer(connection, encode_response(pdu, status))
            return
        self._accept_submit(connection, pdu, message)

    def _is_unanswered(self, connection: EsmeConnection) -> bool:
        if self.modes.ignore_next > 0:
            self.modes.ignore_next -= 1
            return True
        if self.modes.nack_next > 0:
            self.modes.nack_next -= 1
            connection.write(encode_pdu(Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, _FOREIGN_SEQUENCE)))
            return True
        return False

    def _status_for(self) -> int:
        if self.modes.throttle_next > 0:
            self.modes.throttle_next -= 1
            return Status.THROTTLED
        if self.modes.throttle_every and self._count % self.modes.throttle_every == 0:
            return Status.THROTTLED
        return self.modes.refuse_next.pop(0) if self.modes.refuse_next else Status.OK

    def _accept_submit(self, connection: EsmeConnection, pdu: Pdu, message: ShortMessage) -> None:
        self._next_id += 1
        number = self._next_id
        self.submits.append(message)
        response = encode_response(pdu, body=encode_message_id(self._written_id(number)))
        wants_receipt = message.registered_delivery & 0x01 and self.modes.receipt_form != "none"
        if wants_receipt and self.modes.receipt_first:
            self._send_receipts(message, number)
        self._answer(connection, response)
        if wants_receipt and not self.modes.receipt_first:
            self._send_receipts(message, number)
        self.on_submit(message)

    def _written_id(self, number: int) -> str:
        notations = {"decimal": f"{number:010}", "hexadecimal": f"{number:x}"}
        return notations.get(self.modes.id_notation, "msg_id_not_implemented")

    def _answer(self, connection: EsmeConnection, response: bytes) -> None:
        if self.modes.answer_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self.modes.answer_seconds, connection.write, response)
            return
        if not self.modes.answer_backwards:
            connection.write(response)
            return
        self._held.append((connection, response))
        if len(self._held) >= self.modes.answer_backwards:
            held, self._held = self._held, []
            for esme, octets in reversed(held):
                esme.write(octets)

    def _send_receipts(self, message: ShortMessage, number: int) -> None:
        for _ in range(2 if self.modes.receipt_twice else 1):
            task = asyncio.get_running_loop().create_task(self.deliver(self._build_receipt(message, number)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _build_receipt(self, message: ShortMessage, number: int) -> ShortMessage:
        date = f"{self.now():%y%m%d%H%M}"
        form = self.modes.receipt_form
        shown = f"{number:010}" if form == "text" else "00000002"
        text = f"id:{shown} sub:001 dlvrd:001 submit date:{date} done date:{date} stat:DELIVRD err:000 text:"
        reference = message.tlvs.get(Tag.USER_MESSAGE_REFERENCE, b"")
        tlvs = {
            "tlv": {
                Tag.RECEIPTED_MESSAGE_ID: f"{number:010}\0".encode(),
                Tag.MESSAGE_STATE: bytes([_DELIVERED]),
            },
            "reference": {Tag.USER_MESSAGE_REFERENCE: reference},
        }.get(form, {})
        octets = b"" if form == "tlv" else text.encode()
        return ShortMessage(message.destination, message.source, octets, 0, EsmClass.RECEIPT, tlvs=tlvs)
