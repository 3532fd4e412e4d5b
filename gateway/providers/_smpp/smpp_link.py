"""SMPP link: one bind of an operator's account; USSD and SMS in, notices out, receipts."""

import logging
import secrets
from functools import partial

from flows.domain.records import OutboundMessage
from flows.engine.inbound import Inbound
from gateway.providers._shared.running_turns import RunningTurns
from gateway.providers._smpp import sms_events, ussd_events
from gateway.providers._smpp.dialect import DialectForm
from gateway.providers._smpp.sent_messages import SentMessages, write_receipt
from gateway.providers.contract import Connection, LinkEvents, LinkReport, SentMessage
from gateway.smpp.session_settings import SessionCallbacks, SmppSettings
from gateway.smpp.smpp_session import SmppSession
from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.protocol import Status
from gateway.smpp.wire.sms_records import DeliveryReceipt, IncomingMessage
from menus.model.reply import Reply

log = logging.getLogger("dialtree.links")
SUBMIT_WAIT_SECONDS = 0.5
"""How long a message may wait for the window: with the response timer less than a provider call may take."""
REPLY_WAIT_SECONDS = 5.0
"""The same for a screen: the caller waits for it, and no other provider can show it."""
DRAIN_TURNS_SECONDS, DRAIN_WINDOW_SECONDS = 5.0, 4.0
"""What turns under way and unanswered submits get on a stop: 10 s together, with the unbind."""
MAX_UNSTORED = 1_000


class SmppLink:
    """One bind (or pair of binds): reads and writes by the dialect, stores before it answers."""

    def __init__(
        self,
        connection: Connection,
        events: LinkEvents,
        session_settings: SmppSettings,
        dialect: DialectForm | None,
        sender: SmppAddress,
    ) -> None:
        self._connection, self._events = connection, events
        self._dialect, self._sender = dialect, sender
        callbacks = SessionCallbacks(self._take_message, self._take_receipt)
        self._session = SmppSession(session_settings, callbacks)
        self._sent = SentMessages(connection.operator)
        self._turns = RunningTurns(events)
        self._unstored: set[bytes] = set()
        self._token = secrets.token_hex(8)
        self._is_draining = False

    async def run(self) -> None:
        """Bind and stay bound, until cancelled or drained; see `Link.run`."""
        try:
            await self._session.run()
        finally:
            self._turns.cancel()

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Submit a notice; see `Sender.send`."""
        message = sms_events.write_sms(notice, self._sender, self._events.now())
        outcome = await self._session.submit(message, SUBMIT_WAIT_SECONDS)
        accepted = sms_events.require_accepted(outcome)
        return SentMessage(ussd_events.NAME, self._sent.remember(notice, accepted))

    async def drain(self) -> None:
        """Leave new messages to the SMSC, finish turns and window, unbind."""
        self._is_draining = True
        await self._turns.finish(DRAIN_TURNS_SECONDS)
        await self._session.drain(DRAIN_WINDOW_SECONDS)

    def report(self) -> LinkReport:
        """Return state and counters of the bind."""
        counters = self._session.counters
        return LinkReport(
            self._session.state,
            counters.last_pdu_at,
            self._session.window_used,
            counters.unanswered,
            counters.throttles,
            counters.turned_away + self._turns.turned_away,
        )

    async def _take_message(self, message: IncomingMessage) -> int:
        """Take a message and return the status to answer it with: of a USSD message at once."""
        if self._is_draining:
            return Status.QUEUE_FULL
        if ussd_events.is_ussd(message, self._dialect):
            return await self._take_ussd(message)
        return await self._store_sms(message)

    async def _take_ussd(self, message: IncomingMessage) -> int:
        """Begin a turn and answer at once: the screen travels as a submit of its own."""
        if self._dialect is None:
            log.warning("link.ussd_without_dialect", extra={"operator": self._connection.operator})
            return Status.OK
        event = ussd_events.read_ussd(message, self._dialect, self._connection)
        if isinstance(event, Inbound):
            self._turns.start_turn(event, partial(self._send_screen, message))
        elif event is not None:
            await self._events.accept(event)
        return Status.OK

    async def _send_screen(self, request: IncomingMessage, reply: Reply) -> None:
        """Submit a screen; raises the failure unless the SMSC accepted it."""
        if self._dialect is None:
            return
        message = ussd_events.write_ussd(reply, request, self._dialect)
        sms_events.require_accepted(await self._session.submit(message, REPLY_WAIT_SECONDS))

    async def _store_sms(self, message: IncomingMessage) -> int:
        """Run the turn of a text, then answer: only what is stored counts as taken."""
        was_unstored = message.identity in self._unstored
        era = f"{self._token}/{self._session.counters.binds}{'/again' if was_unstored else ''}"
        delivery = await self._events.identify_message(
            message.identity, era, may_repeat=message.may_repeat or was_unstored
        )
        try:
            await self._events.accept(sms_events.read_sms(message, self._connection, delivery))
        except BaseException:
            if len(self._unstored) < MAX_UNSTORED:
                self._unstored.add(message.identity)
            raise
        self._unstored.discard(message.identity)
        return Status.OK

    async def _take_receipt(self, receipt: DeliveryReceipt) -> int:
        """Record a receipt; one about nothing we know is stored aside under its first id."""
        message, message_id = self._sent.find(receipt), ""
        if message is None:
            candidates = self._sent.candidates(receipt)
            known = await self._events.find_sent_id(candidates) if candidates else None
            message_id = known or next(iter(candidates), "")
            if not message_id:
                log.info("link.receipt_unmatched", extra={"operator": self._connection.operator})
                return Status.OK
        event = write_receipt(receipt, message, message_id)
        if event is not None:
            await self._events.accept(event)
        return Status.OK
