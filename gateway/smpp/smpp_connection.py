"""One TCP connection to an SMSC: framing, sequence numbers, response timers, enquire_link, unbind."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from gateway.smpp.session_settings import SessionRuntime, SmppSettings
from gateway.smpp.wire.bodies import BindBody, encode_bind
from gateway.smpp.wire.pdu import (
    LostFraming,
    Pdu,
    PduFramer,
    encode_pdu,
    encode_response,
)
from gateway.smpp.wire.protocol import Command, Status
from gateway.smpp.wire.sms_records import SmppCounters

log = logging.getLogger("dialtree.smpp")
_LAST_SEQUENCE = 0x7FFFFFFF
_UNBIND_SECONDS = 2.0


class NoAnswer(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when a request was written and its response timer ran out."""


class ConnectionBroken(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the connection ended with the request unanswered."""


class NotConnected(ConnectionBroken):
    """Raised when there is no connection to write a request to: nothing was written."""


class BindRefused(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the SMSC answered a bind with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status {status:#x}")
        self.status = status


@dataclass(slots=True)
class _PendingRequest:
    response_command: int
    answer: "asyncio.Future[Pdu]"
    timer: asyncio.TimerHandle
    number: int


class SmppConnection(asyncio.Protocol):
    """One connection, from the TCP handshake to its end; a broken one is not used again.

    `on_request` is called for every request but enquire_link and unbind; it must not block.
    """

    def __init__(
        self,
        settings: SmppSettings,
        runtime: SessionRuntime,
        counters: SmppCounters,
        on_request: "Callable[[Pdu, SmppConnection], None]",
    ) -> None:
        self._settings, self._runtime, self._counters = settings, runtime, counters
        self._on_request = on_request
        self._where = {"operator": settings.operator}
        self._framer = PduFramer()
        self._pending: dict[int, _PendingRequest] = {}
        self._sequence = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unwritten: list[bytes] = []
        """PDUs of this round of the event loop; they leave together, as a system call costs more than a PDU."""
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Done when the connection ended, with the reason."""
        self.requests_written = 0
        self.requests_proven = 0
        """The latest of our requests, by `requests_written`, the SMSC has answered: it has read all before."""
        self.last_read_at = runtime.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail every request without an answer."""
        self._finish("lost" if exc else "closed_by_peer")

    def data_received(self, data: bytes) -> None:
        """Take what the SMSC sent; reading never pauses."""
        self.last_read_at = self._counters.last_pdu_at = self._runtime.monotonic()
        try:
            for pdu in self._framer.feed(data):
                self._take_pdu(pdu)
        except LostFraming:
            self._counters.malformed += 1
            self._write(encode_pdu(Pdu(Command.GENERIC_NACK, Status.INVALID_LENGTH, 0)))
            self.close("lost_framing")

    def _take_pdu(self, pdu: Pdu) -> None:
        if pdu.is_response:
            self._take_response(pdu)
        elif pdu.command == Command.ENQUIRE_LINK:
            self._write(encode_response(pdu))
        elif pdu.command == Command.UNBIND:
            self._write(encode_response(pdu))
            self.close("unbound_by_peer")
        else:
            self._on_request(pdu, self)

    def _take_response(self, pdu: Pdu) -> None:
        """Settle the request it answers; count one that fits none, such as a nack with a number of its own."""
        pending = self._pending.get(pdu.sequence)
        if pending is None or pdu.command not in (pending.response_command, Command.GENERIC_NACK):
            self._counters.unmatched += 1
            log.warning(
                "smpp.response_unmatched",
                extra={**self._where, "what": f"{pdu.command:#x}", "status": pdu.status},
            )
            return
        del self._pending[pdu.sequence]
        pending.timer.cancel()
        self.requests_proven = max(self.requests_proven, pending.number)
        if not pending.answer.done():
            pending.answer.set_result(pdu)

    async def request(self, command: int, body: bytes = b"", seconds: float | None = None) -> Pdu:
        """Write a request and return its response.

        NoAnswer after the response timer; ConnectionBroken when the connection ends meanwhile, NotConnected
        when it had before.
        """
        if self.closed.done() or self._transport is None:
            raise NotConnected(self.closed.result() if self.closed.done() else "not connected")
        sequence = self._next_sequence()
        answer: asyncio.Future[Pdu] = self._loop.create_future()
        timer = self._loop.call_later(seconds or self._settings.response_seconds, self._expire, sequence)
        self.requests_written += 1
        self._pending[sequence] = _PendingRequest(
            command | Command.RESPONSE_BIT, answer, timer, self.requests_written
        )
        self._write(encode_pdu(Pdu(command, 0, sequence, body)))
        return await answer

    def respond(self, request: Pdu, status: int, body: bytes = b"") -> bool:
        """Write the response to a request; False when the connection is gone."""
        if self.closed.done():
            return False
        self._write(encode_response(request, status, body))
        return True

    def reject_command(self, request: Pdu) -> None:
        """Answer an unknown request with generic_nack and its sequence number."""
        self._write(encode_pdu(Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, request.sequence)))

    async def bind(self, command: int) -> None:
        """Bind; BindRefused with the SMSC's status, NoAnswer, ConnectionBroken."""
        settings = self._settings
        body = encode_bind(
            BindBody(
                settings.system_id,
                settings.password.value,
                settings.system_type,
                address_range=settings.address_range,
            )
        )
        response = await self.request(command, body)
        if response.status:
            raise BindRefused(response.status)

    async def keep_alive(self) -> None:
        """Ask with enquire_link after each silence, close when no answer comes; end with the connection."""
        while not self.closed.done():
            silence = self._runtime.monotonic() - self.last_read_at
            wait = self._settings.enquire_seconds - silence
            if wait > 0:
                await self._runtime.sleep(wait)
            else:
                await self._enquire()

    async def _enquire(self) -> None:
        try:
            await self.request(Command.ENQUIRE_LINK)
        except NoAnswer:
            self.close("enquire_link_unanswered")
        except ConnectionBroken:
            return

    async def unbind(self) -> None:
        """Unbind and close; an SMSC that does not answer within 2 s is left anyway."""
        try:
            await self.request(Command.UNBIND, seconds=_UNBIND_SECONDS)
        except (NoAnswer, ConnectionBroken):
            pass
        finally:
            self.close("unbound")

    def close(self, reason: str) -> None:
        """Close at once; what is written already still goes out."""
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._finish(reason)

    def _finish(self, reason: str) -> None:
        if self.closed.done():
            return
        self.closed.set_result(reason)
        for pending in self._pending.values():
            pending.timer.cancel()
            if not pending.answer.done():
                pending.answer.set_exception(ConnectionBroken(reason))
        self._pending.clear()

    def _expire(self, sequence: int) -> None:
        pending = self._pending.pop(sequence)
        self._counters.unanswered += 1
        if not pending.answer.done():
            pending.answer.set_exception(NoAnswer(f"no answer to sequence number {sequence}"))

    def _next_sequence(self) -> int:
        """Return the next number no request of ours is waiting with."""
        while True:
            self._sequence = self._sequence % _LAST_SEQUENCE + 1
            if self._sequence not in self._pending:
                return self._sequence

    def _write(self, data: bytes) -> None:
        """Write a PDU with all others of this round of the event loop."""
        if not self._unwritten:
            self._loop.call_soon(self._flush)
        self._unwritten.append(data)

    def _flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        if unwritten and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unwritten))


async def open_connection(
    settings: SmppSettings,
    runtime: SessionRuntime,
    counters: SmppCounters,
    on_request: Callable[[Pdu, SmppConnection], None],
) -> SmppConnection:
    """Connect, with TLS where the settings say so; OSError (ssl.SSLError too), TimeoutError."""
    loop = asyncio.get_running_loop()
    name = (settings.server_name or settings.host) if settings.tls else None
    async with asyncio.timeout(settings.response_seconds):
        _, connection = await loop.create_connection(
            lambda: SmppConnection(settings, runtime, counters, on_request),
            settings.host,
            settings.port,
            ssl=settings.tls,
            server_hostname=name,
        )
    return connection
