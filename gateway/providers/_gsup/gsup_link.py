"""GSUP link: the one connection of an external USSD entity to its HLR; every request ends with a text."""

import logging
import time
from collections.abc import Callable
from functools import partial

from cachetools import TTLCache

from flows.domain.failures import LinkBusy, Misconfigured
from flows.domain.records import OutboundMessage
from gateway.gsup.gsup_message import GsupMessage, MalformedGsup, SessionPhase
from gateway.gsup.hlr_session import HlrSession
from gateway.gsup.hlr_settings import HlrSettings
from gateway.gsup.subscriber_lookup import LookupFailed, NumberLookup, find_number
from gateway.gsup.ussd_text import exceeds_limit
from gateway.providers._gsup import ussd_session
from gateway.providers._shared.running_turns import RunningTurns, send_quietly
from gateway.providers.contract import Connection, LinkEvents, LinkReport, SentMessage
from menus.model.reply import Reply

log = logging.getLogger("dialtree.links")
GUARD_MARGIN_SECONDS = 1.0
"""How long before the HLR's guard timer a reply is on its way: behind it the HLR drops it without a word."""
DRAIN_TURNS_SECONDS = 5.0
NUMBER_SECONDS, MAX_NUMBERS = 60.0, 10_000
"""How long a number is believed to belong to an IMSI, and how many are remembered."""


class GsupLink:
    """One external USSD entity: reads sessions, runs their turns, writes screens to the HLR."""

    def __init__(
        self,
        connection: Connection,
        events: LinkEvents,
        settings: HlrSettings,
        guard_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a link; nothing is opened before it runs. `guard_seconds`: the HLR's ncss-guard-timeout."""
        self._connection, self._events, self._monotonic = connection, events, monotonic
        self._session = HlrSession(settings, self._take_message)
        self._find_number: NumberLookup = partial(find_number, settings)
        self._numbers: TTLCache[str, str] = TTLCache(MAX_NUMBERS, NUMBER_SECONDS, monotonic)
        self._limit_seconds = guard_seconds - GUARD_MARGIN_SECONDS
        self._turns = RunningTurns(events)
        self._is_draining = False
        self._where = {"operator": connection.operator}

    async def run(self) -> None:
        """Connect and stay connected, until cancelled; see `Link.run`."""
        try:
            await self._session.run()
        finally:
            self._turns.cancel()

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Refuse: GSUP carries no messages, and osmo-hlr dies of some that begin with the network."""
        raise Misconfigured(f"{ussd_session.NAME} sends no messages: {notice.key}")

    async def drain(self) -> None:
        """Answer new sessions with an apology, finish the turns under way; the caller then ends `run`."""
        self._is_draining = True
        await self._turns.finish(DRAIN_TURNS_SECONDS)

    def report(self) -> LinkReport:
        """Return state and counters of the connection."""
        last_heard_at = self._session.counters.last_frame_at
        return LinkReport(self._session.state, last_heard_at, turned_away=self._turns.turned_away)

    def _take_message(self, message: GsupMessage) -> None:
        """Take a message of a session; never waits."""
        until = self._monotonic() + self._limit_seconds
        if message.phase is SessionPhase.BEGIN and (self._is_draining or self._turns.is_full):
            self._turns.turned_away += 1
            self._turns.start_task(self._apologise(message, until))
            return
        self._turns.start_task(self._answer_message(message, until))

    async def _answer_message(self, message: GsupMessage, until: float) -> None:
        """Run the turn of a message; what cannot be read or belongs to nobody ends with an apology."""
        try:
            has_ended = ussd_session.ends_session(message)
            text = "" if has_ended else ussd_session.read_text(message)
            number = await self._number_of(message.imsi)
        except MalformedGsup as fault:
            log.warning("link.request_unreadable", extra={**self._where, "failure": str(fault)})
            await self._apologise(message, until)
        except LookupFailed as failure:
            log.warning("link.number_unknown", extra={**self._where, "failure": str(failure)})
            if not has_ended:  # an answer to an error is answered with an error
                await self._apologise(message, until)
        else:
            if has_ended:
                await self._end_session(message, number)
                return
            event = ussd_session.read_ussd(message, text, number, self._connection)
            seconds = max(until - self._monotonic(), 0.0)
            await self._events.answer(event, partial(self._send_screen, message, until), seconds)

    async def _end_session(self, message: GsupMessage, number: str) -> None:
        """End a session that is over; what cannot be told the store ends by itself."""
        try:
            await self._events.accept(ussd_session.read_end(message, number, self._connection))
        except Exception as error:  # the session's own time ends it
            log.warning("link.end_not_stored", extra={**self._where, "failure": type(error).__name__})

    async def _number_of(self, imsi: str) -> str:
        """Return the number of an IMSI; LookupFailed when the HLR does not say."""
        number = self._numbers.get(imsi)
        if number is None:
            number = await self._find_number(imsi)
            if number:
                self._numbers[imsi] = number
        return number

    async def _apologise(self, request: GsupMessage, until: float) -> None:
        await send_quietly(partial(self._send_screen, request, until), self._events.apology())

    async def _send_screen(self, request: GsupMessage, until: float, reply: Reply) -> None:
        """Write a reply, by the next connection where the request's own broke; LinkBusy when none comes."""
        if exceeds_limit(reply.text):
            log.error("link.text_cut", extra=self._where)
        wait_seconds = max(until - self._monotonic(), 0.0)
        if not await self._session.send(ussd_session.write_ussd(reply, request), wait_seconds):
            raise LinkBusy("no connection to the HLR")
