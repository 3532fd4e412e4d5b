"""Incoming messages: decoded, put together, given to the callbacks within a bound, answered."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.smpp.doubtful_answers import AnswerLog, DoubtfulAnswers
from gateway.smpp.session_settings import SessionCallbacks, SessionRuntime, SmppSettings
from gateway.smpp.smpp_connection import SmppConnection
from gateway.smpp.wire.bodies import ShortMessage, decode_short_message
from gateway.smpp.wire.concatenation import PartAssembler, PartPlace, UserDataHeader, place_of, read_udh
from gateway.smpp.wire.data_coding import decode_text
from gateway.smpp.wire.pdu import MalformedPdu, Pdu
from gateway.smpp.wire.protocol import Command, Status, Tag
from gateway.smpp.wire.receipt_parsing import is_delivery_receipt, read_receipt
from gateway.smpp.wire.sms_records import DeliveryReceipt, IncomingMessage, SmppCounters

log = logging.getLogger("dialtree.smpp")
AnyEvent = TypeVar("AnyEvent", IncomingMessage, DeliveryReceipt)
_EMPTY_MESSAGE_ID = b"\0"
_POISON_DELIVERIES = 3
"""An unreadable PDU that comes this often is answered as taken: refused, it would come for ever."""
_MAX_POISONS = 1000
_MAX_WAITING = 4
"""Messages waiting for a place, per place; more are turned away at once."""


class MessageReceiver:
    """Takes deliver_sm and data_sm of all connections of one session."""

    def __init__(
        self,
        settings: SmppSettings,
        callbacks: SessionCallbacks,
        assembler: PartAssembler,
        counters: SmppCounters,
        runtime: SessionRuntime,
    ) -> None:
        self._settings, self._callbacks, self._assembler = settings, callbacks, assembler
        self._counters, self._runtime = counters, runtime
        self._where = {"operator": settings.operator}
        self._places = asyncio.Semaphore(settings.max_inbound)
        self._tasks: set[asyncio.Task[None]] = set()
        self._poisons: OrderedDict[int, int] = OrderedDict()
        self._in_work: dict[bytes, SmppConnection] = {}
        """Messages given to the callback, with the connection they came by."""
        self._answers: dict[SmppConnection, AnswerLog] = {}
        self.doubts = DoubtfulAnswers()
        self.is_accepting = True
        """False while draining: new messages are left to the SMSC."""

    def take_request(self, pdu: Pdu, connection: SmppConnection) -> None:
        """Take a request of the SMSC; never waits and never raises."""
        if pdu.command == Command.ALERT_NOTIFICATION:
            return
        if pdu.command not in (Command.DELIVER_SM, Command.DATA_SM):
            connection.reject_command(pdu)
            return
        self._counters.received += 1
        try:
            message = decode_short_message(pdu.command, pdu.body)
        except MalformedPdu as fault:
            self._answer_malformed(pdu, connection, fault)
            return
        self._start(pdu, message, connection)

    def _start(self, pdu: Pdu, message: ShortMessage, connection: SmppConnection) -> None:
        if not self.is_accepting or len(self._tasks) > self._settings.max_inbound * _MAX_WAITING:
            self._turn_away(pdu, connection)
            return
        task = asyncio.create_task(self._receive(pdu, message, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self, pdu: Pdu, message: ShortMessage, connection: SmppConnection) -> None:
        try:
            async with asyncio.timeout(self._settings.hold_seconds):
                await self._places.acquire()
        except TimeoutError:
            self._turn_away(pdu, connection)
            return
        try:
            await self._answer(pdu, message, connection)
        finally:
            self._places.release()

    async def _answer(self, pdu: Pdu, message: ShortMessage, connection: SmppConnection) -> None:
        udh = read_udh(message.octets) if message.has_udh else UserDataHeader()
        text = self._text_of(message, udh)
        if is_delivery_receipt(message, text):
            receipt = read_receipt(message, text)
            status = await self._call(self._callbacks.on_receipt, receipt)
        else:
            status = await self._take_text(message, udh, text, connection)
        connection.respond(pdu, status, _EMPTY_MESSAGE_ID if status == Status.OK else b"")

    def _text_of(self, message: ShortMessage, udh: UserDataHeader) -> str:
        shifts = (udh.locking_shift, udh.single_shift)
        rules = self._settings.coding
        return decode_text(message.octets[udh.octets :], message.data_coding, rules, udh.octets, shifts)

    async def _take_text(
        self, message: ShortMessage, udh: UserDataHeader, text: str, connection: SmppConnection
    ) -> int:
        place = place_of(message, udh)
        now = self._runtime.monotonic()
        whole = text if place is None else self._assembler.add_part(message, place, text, now)
        if whole is None:
            return Status.OK
        incoming = self._build_incoming(message, whole, now)
        self._in_work[incoming.identity] = connection
        try:
            status = await self._call(self._callbacks.on_message, incoming)
        finally:
            self._in_work.pop(incoming.identity, None)
        if status == Status.OK:
            self._note_answer(incoming, message, place, connection)
        return status

    def _build_incoming(self, message: ShortMessage, text: str, now: float) -> IncomingMessage:
        """Build the record of a whole message, with whether we may have had it before."""
        identity = identity_of(message, text)
        earlier = self._in_work.get(identity)
        is_repeated = earlier is not None and earlier.closed.done()
        return IncomingMessage(
            message.source,
            message.destination,
            text,
            message.service_type,
            message.data_coding,
            message.esm_class,
            message.tlvs,
            message.octets,
            identity,
            self.doubts.may_repeat(identity, now) or is_repeated,
        )

    def _note_answer(
        self,
        incoming: IncomingMessage,
        message: ShortMessage,
        place: PartPlace | None,
        connection: SmppConnection,
    ) -> None:
        """Note that a message is ours now; of a connection that broke meanwhile the answer is in doubt."""
        now = self._runtime.monotonic()
        if place is not None:
            self._assembler.forget_message(message, place)
        if connection.closed.done():
            self.doubts.add_doubts([incoming.identity], now)
            return
        answers = self._answers.setdefault(connection, AnswerLog())
        answers.add_answer(incoming.identity, connection.requests_written, now)

    async def _call(self, callback: Callable[[AnyEvent], Awaitable[int]], event: AnyEvent) -> int:
        """Call back; an exception of the callback is a temporary error to the SMSC, which tries again."""
        try:
            return await callback(event)
        except Exception:
            log.exception("smpp.callback_failed", extra=self._where)
            return Status.TEMPORARY_APP_ERROR

    def _turn_away(self, pdu: Pdu, connection: SmppConnection) -> None:
        self._counters.turned_away += 1
        connection.respond(pdu, self._settings.busy_status)

    def _answer_malformed(self, pdu: Pdu, connection: SmppConnection, fault: MalformedPdu) -> None:
        self._counters.malformed += 1
        poison = hash(pdu.body)
        times = self._poisons.pop(poison, 0) + 1
        self._poisons[poison] = times
        if len(self._poisons) > _MAX_POISONS:
            self._poisons.popitem(last=False)
        log.warning("smpp.pdu_malformed", extra={**self._where, "count": times, "failure": str(fault)})
        given_up = times >= _POISON_DELIVERIES
        connection.respond(
            pdu, Status.OK if given_up else Status.SYSTEM_ERROR, _EMPTY_MESSAGE_ID if given_up else b""
        )

    def forget_connection(self, connection: SmppConnection) -> None:
        """Take over the doubts of a connection that ended."""
        answers = self._answers.pop(connection, None)
        if answers is not None:
            now = self._runtime.monotonic()
            self.doubts.add_doubts(answers.doubtful(connection.requests_proven, now), now)

    async def finish(self, seconds: float) -> None:
        """Wait for the messages in work, at most this long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)


def identity_of(message: ShortMessage, text: str) -> bytes:
    """Return what stays the same when a message is delivered again: all but the sequence number.

    Of a long message its octets are the last part's: which part that is may differ, so the text counts.
    """
    fields = (
        message.source.number.encode(),
        message.destination.number.encode(),
        bytes([message.esm_class & 0x3C, message.data_coding]),
        text.encode("utf-8", "surrogatepass"),
        *(message.tlvs.get(tag, b"") for tag in _IDENTITY_TAGS),
    )
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


_IDENTITY_TAGS = (Tag.USER_MESSAGE_REFERENCE, Tag.USSD_SERVICE_OP, Tag.ITS_SESSION_INFO)
