"""SMPP session: binds, submits within a window, takes messages and receipts, reconnects by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.reconnect_wait import next_wait
from gateway.smpp.message_receiver import MessageReceiver
from gateway.smpp.recipients_in_flight import RecipientsInFlight
from gateway.smpp.session_settings import SessionCallbacks, SessionRuntime, SessionState, SmppSettings
from gateway.smpp.smpp_connection import (
    BindRefused,
    ConnectionBroken,
    NoAnswer,
    NotConnected,
    SmppConnection,
    open_connection,
)
from gateway.smpp.submit_parts import build_submits
from gateway.smpp.throttle_gate import StillThrottled, ThrottleGate
from gateway.smpp.wire.bodies import decode_message_id
from gateway.smpp.wire.concatenation import PartAssembler
from gateway.smpp.wire.pdu import Pdu
from gateway.smpp.wire.protocol import Command, Status
from gateway.smpp.wire.sms_records import (
    DeliveryReceipt,
    NotSubmitted,
    NotSubmittedReason,
    OutgoingMessage,
    SmppCounters,
    SubmitAccepted,
    SubmitOutcome,
    SubmitRefused,
    SubmitUnknown,
)
from gateway.smpp.wire.status_table import meaning_of

log = logging.getLogger("dialtree.smpp")
DEFAULT_WAIT_SECONDS = 5.0
NO_CALLBACKS, SYSTEM_RUNTIME = SessionCallbacks(), SessionRuntime()
"""Callbacks that accept everything; the system's clock and randomness."""
_BIND_COMMANDS = {
    "transceiver": (Command.BIND_TRANSCEIVER,),
    "pair": (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER),
    "transmitter": (Command.BIND_TRANSMITTER,),
    "receiver": (Command.BIND_RECEIVER,),
}
_WRONG_CREDENTIALS = frozenset({Status.INVALID_PASSWORD, Status.INVALID_SYSTEM_ID})


class SmppSession:
    """One bind (or pair of binds) to one SMSC; `run` keeps it up, `submit` sends over it.

    Reading never pauses: answers and enquire_link pass while callbacks work.
    """

    def __init__(
        self,
        settings: SmppSettings,
        callbacks: SessionCallbacks = NO_CALLBACKS,
        runtime: SessionRuntime = SYSTEM_RUNTIME,
        assembler: PartAssembler | None = None,
    ) -> None:
        """Prepare a session; nothing is opened before `run`.

        `assembler`: shared by all binds of one account, where an SMSC spreads the parts of a long message.
        """
        self.settings, self._callbacks, self._runtime = settings, callbacks, runtime
        self._where = {"operator": settings.operator}
        self.counters = SmppCounters()
        self.state: SessionState = "down"
        self.refused_status = 0
        """Status of the last bind the SMSC refused; 0 after one it accepted."""
        self._in_flight = RecipientsInFlight()
        assembler = assembler or PartAssembler()
        held = SessionCallbacks(callbacks.on_message, self._take_receipt, callbacks.before_submit)
        self._receiver = MessageReceiver(settings, held, assembler, self.counters, runtime)
        self._window = asyncio.Semaphore(settings.window)
        self._gate = ThrottleGate(settings.throttle_seconds, runtime.monotonic)
        self._links: list[SmppConnection] = []
        self._reference = int(runtime.fraction() * 0xFFFF)
        self._draining = False
        self._state_changed = asyncio.Event()

    @property
    def window_used(self) -> int:
        """How many submits wait for an answer."""
        return self._in_flight.count

    @property
    def is_throttled(self) -> bool:
        """Whether the bind is paused."""
        return self._gate.is_closed

    async def run(self) -> None:
        """Bind and stay bound, reconnecting with jittered back-off, until `drain` or cancellation."""
        failures = 0
        try:
            while not self._draining:
                was_up = await self._run_once()
                failures = 0 if was_up else failures + 1
                if not self._draining:
                    await self._runtime.sleep(self._wait_seconds(failures))
        finally:
            self._close_links("stopped")
            self._set_state("down")

    def _wait_seconds(self, failures: int) -> float:
        refused, fraction = self.refused_status in _WRONG_CREDENTIALS, self._runtime.fraction()
        return next_wait(failures, refused, fraction, self.settings.longest_wait_seconds)

    async def wait_until_up(self) -> None:
        """Return when the session is bound."""
        while self.state != "up":
            await self._state_changed.wait()

    async def _run_once(self) -> bool:
        """Open, bind, and stay until a connection ends; return whether the bind succeeded."""
        try:
            await self._open_links()
        except BindRefused as refusal:
            self._note_refusal(refusal.status)
            return False
        except (OSError, TimeoutError, NoAnswer, ConnectionBroken) as failure:
            log.warning("smpp.connect_failed", extra={**self._where, "failure": type(failure).__name__})
            self._set_state("down")
            return False
        else:
            await self._stay_bound()
            return True
        finally:
            self._close_links("closed")

    async def _open_links(self) -> None:
        for command in _BIND_COMMANDS[self.settings.bind_mode]:
            link = await open_connection(
                self.settings, self._runtime, self.counters, self._receiver.take_request
            )
            self._links.append(link)
            await link.bind(command)

    async def _stay_bound(self) -> None:
        self.counters.binds += 1
        self.refused_status = 0
        self._receiver.doubts.begin(self._runtime.monotonic())
        self._set_state("up")
        log.info("smpp.bound", extra={**self._where, "count": len(self._links)})
        keepers = [asyncio.create_task(link.keep_alive()) for link in self._links]
        try:
            await asyncio.wait([link.closed for link in self._links], return_when="FIRST_COMPLETED")
        finally:
            for keeper in keepers:
                keeper.cancel()
            self._set_state("down")
        reasons = [link.closed.result() for link in self._links if link.closed.done()]
        log.warning("smpp.connection_ended", extra={**self._where, "reason": reasons[0]})

    def _note_refusal(self, status: int) -> None:
        self.refused_status = status
        refused = status in _WRONG_CREDENTIALS
        log.error("smpp.bind_refused", extra={**self._where, "status": status})
        self._set_state("refused" if refused else "down")

    def _close_links(self, reason: str) -> None:
        links, self._links = self._links, []
        for link in links:
            link.close(reason)
            self._receiver.forget_connection(link)

    def _set_state(self, state: SessionState) -> None:
        self.state = state
        self._state_changed.set()
        self._state_changed = asyncio.Event()

    async def submit(
        self, message: OutgoingMessage, wait_seconds: float = DEFAULT_WAIT_SECONDS
    ) -> SubmitOutcome:
        """Submit a message, in as many PDUs as it needs, and return what the SMSC said.

        `wait_seconds`: how long it may wait for a place in the window or behind throttling; once written, the
        response timer decides. Never raises but CancelledError.
        """
        if self.state != "up" or self._draining:
            return NotSubmitted(self._reason_not_up())
        reference = self._next_reference() if message.reference is None else message.reference
        try:
            bodies = build_submits(message, self.settings, reference)
        except ValueError as fault:
            log.warning("smpp.message_unsendable", extra={**self._where, "failure": str(fault)})
            return NotSubmitted("unsendable")
        with self._in_flight.track(message.destination.number):
            return await self._submit_parts(bodies, reference, wait_seconds)

    def _reason_not_up(self) -> NotSubmittedReason:
        if self._draining:
            return "draining"
        return "refused" if self.state == "refused" else "down"

    async def _submit_parts(self, bodies: list[bytes], reference: int, wait_seconds: float) -> SubmitOutcome:
        await self._callbacks.before_submit(len(bodies))
        until = self._runtime.monotonic() + wait_seconds
        message_ids: list[str] = []
        for body in bodies:
            outcome = await self._submit_part(body, until)
            if not isinstance(outcome, str):
                return outcome
            message_ids.append(outcome)
        return SubmitAccepted(tuple(message_ids), reference)

    async def _submit_part(self, body: bytes, until: float) -> str | SubmitOutcome:
        """Return the message id of an accepted PDU, or how the message ended."""
        try:
            response = await self._exchange(body, until)
        except StillThrottled as pause:
            return NotSubmitted("throttled", pause.seconds)
        except TimeoutError:
            return NotSubmitted("window_full")
        except NoAnswer:
            return SubmitUnknown("no_answer")
        except NotConnected:
            return NotSubmitted(self._reason_not_up())
        except ConnectionBroken:
            return SubmitUnknown("connection_lost")
        if response.status == Status.OK:
            return decode_message_id(response.body)
        meaning = meaning_of(response.status, self.settings.status_kinds)
        return SubmitRefused(response.status, meaning.name, meaning.kind)

    async def _exchange(self, body: bytes, until: float) -> Pdu:
        """Write a submit_sm through gate and window; again while it is throttled and there is time."""
        while True:
            is_probe = await self._gate.enter(until)
            status: int | None = None
            try:
                async with self._window_place(until):
                    if self._gate.is_closed and not is_probe:
                        continue
                    self.counters.submitted += 1
                    response = await self._transmitter().request(Command.SUBMIT_SM, body)
                    status = response.status
            finally:
                throttled = self._gate.settle(status, is_probe)
            if not throttled:
                return response
            self.counters.throttles += 1
            if status == Status.QUEUE_FULL:
                return response

    @asynccontextmanager
    async def _window_place(self, until: float) -> AsyncIterator[None]:
        if self._window.locked():
            async with asyncio.timeout(max(until - self._runtime.monotonic(), 0)):
                await self._window.acquire()
        else:
            await self._window.acquire()
        try:
            yield
        finally:
            self._window.release()

    def _transmitter(self) -> SmppConnection:
        if not self._links:
            raise NotConnected("not connected")
        return self._links[0]

    def _next_reference(self) -> int:
        self._reference = self._reference % 0xFFFF + 1
        return self._reference

    async def _take_receipt(self, receipt: DeliveryReceipt) -> int:
        """Give a receipt out when the submit it may belong to has returned: some SMSCs send it first."""
        await self._in_flight.wait_for(receipt.recipient.number)
        return await self._callbacks.on_receipt(receipt)

    async def drain(self, seconds: float = 10.0) -> None:
        """Leave new messages to the SMSC, wait for those in work and for the window, unbind, end `run`.

        At most `seconds`; what is unanswered then becomes `SubmitUnknown`.
        """
        self._receiver.is_accepting = False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._receiver.finish(seconds)
                await self._in_flight.wait_until_empty()
        self._draining = True
        await asyncio.gather(*(link.unbind() for link in self._links))
