"""Link to one Asterisk: calls of one application, served side by side; implements `Link`."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from flows.domain.failures import Misconfigured
from flows.domain.records import OutboundMessage
from gateway.asterisk.ari_client import AriClient, AriCounters, AriError, ChannelGone
from gateway.asterisk.ari_events import ApplicationReplaced, AriChannel, AriEvent, CallEntered
from gateway.asterisk.event_stream import EventStream, StreamRuntime, StreamSettings
from gateway.providers._asterisk.asterisk_call import AsteriskCall, CallPorts
from gateway.providers._asterisk.call_prompts import CallPrompts
from gateway.providers._asterisk.trunk_caller import TrunkCall, TrustedTrunks
from gateway.providers.contract import Connection, LinkEvents, LinkReport, SentMessage
from gateway.speech.prompt_folder import PromptFolder

log = logging.getLogger("dialtree.asterisk")
NOBODY_ANSWERED = "nobody-answered"
"""First argument of a call the dialplan sends back after a transfer; the second is its language."""
DRAIN_SECONDS = 5.0
"""What turns under way get on a stop."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How the calls of a link are served."""

    max_calls: int
    transfer_context: str
    ring_seconds: int
    sounds_seen_as: str
    trunks: TrustedTrunks = field(default_factory=TrustedTrunks)


@dataclass(eq=False, slots=True)
class AsteriskLink:
    """One connection to Asterisk under one application's name."""

    connection: Connection
    events: LinkEvents = field(repr=False)
    stream_settings: StreamSettings
    call_settings: CallSettings
    folder: PromptFolder = field(repr=False)
    runtime: StreamRuntime = field(default_factory=StreamRuntime, repr=False)
    counters: AriCounters = field(default_factory=AriCounters)
    calls: dict[str, AsteriskCall] = field(default_factory=dict, repr=False)
    """Calls served now, by channel id."""
    stream: EventStream | None = field(default=None, repr=False)
    turned_away: int = 0
    is_draining: bool = False
    is_reviewed: bool = False
    """Whether the calls in Asterisk are known since the last connect."""
    _ports: CallPorts | None = field(default=None, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def run(self) -> None:
        """Connect and serve calls until cancelled; see `Link.run`."""
        await self.folder.prepare()
        connector = TCPConnector(limit=0, ssl=self.stream_settings.account.tls_context())
        async with ClientSession(connector=connector, timeout=ClientTimeout(None)) as http:
            self._ports = self._open_ports(http)
            settings, runtime = self.stream_settings, self.runtime
            self.stream = EventStream(settings, http, self._take_event, self._begin_review, runtime)
            try:
                await self.stream.run()
            finally:
                await self._cancel_tasks()

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Refuse a message: a trunk carries calls."""
        raise Misconfigured("Asterisk carries no messages; take it out of routes.sms")

    async def drain(self) -> None:
        """Send new calls away, finish turns under way; calls stay for the next owner of the name."""
        self.is_draining = True
        turns = [call.turn_over.wait() for call in self.calls.values()]
        if turns:
            await asyncio.wait(map(asyncio.ensure_future, turns), timeout=DRAIN_SECONDS)

    def report(self) -> LinkReport:
        """Return state and counters; `window` counts requests under way."""
        stream, counters = self.stream, self.counters
        return LinkReport(
            stream.state if stream else "down",
            stream.last_heard_at if stream else 0.0,
            counters.under_way,
            counters.unanswered,
            turned_away=self.turned_away,
        )

    def _open_ports(self, http: ClientSession) -> CallPorts:
        ari = AriClient(self.stream_settings.account, http, counters=self.counters)
        settings = self.call_settings
        return CallPorts(
            ari=ari,
            prompts=CallPrompts(self.folder, settings.sounds_seen_as, self.events.find_recording),
            events=self.events,
            application=self.stream_settings.application,
            transfer_context=settings.transfer_context,
            ring_seconds=settings.ring_seconds,
            is_connected=self._is_connected,
            now=asyncio.get_running_loop().time,
        )

    def _is_connected(self) -> bool:
        return self.stream is not None and self.stream.state == "up"

    def _take_event(self, event: AriEvent) -> None:
        """Begin a call, or pass an event to the call it belongs to."""
        if isinstance(event, CallEntered):
            self._enter_call(event.channel, event.arguments)
        elif not isinstance(event, ApplicationReplaced) and (call := self.calls.get(event.channel_id)):
            call.take_event(event)

    def _enter_call(self, channel: AriChannel, arguments: tuple[str, ...], *, is_resumed: bool = False) -> None:
        """Serve a call that is new to us; one that is served already is not begun again."""
        known = self.calls.get(channel.id)
        if known is not None and not known.has_left:
            return
        call = self._build_call(channel)
        if self.is_draining or len(self.calls) >= self.call_settings.max_calls:
            self.turned_away += 1
            self._start(call.send_away())
            return
        self.calls[channel.id] = call
        if arguments[:1] == (NOBODY_ANSWERED,):
            reply = self.events.apology("voice", arguments[1] if len(arguments) > 1 else "")
            self._start(self._serve(call, call.say_goodbye(reply)))
        else:
            self._start(self._serve(call, call.run(is_resumed=is_resumed)))

    def _build_call(self, channel: AriChannel) -> AsteriskCall:
        assert self._ports is not None, "events come only while the link runs"  # noqa: S101
        return AsteriskCall(TrunkCall(channel, self.connection, self.call_settings.trunks), self._ports)

    async def _serve(self, call: AsteriskCall, conversation: Coroutine[Any, Any, None]) -> None:
        """Serve a call, then end its conversation; its own fault ends no other call."""
        try:
            await conversation
        except Exception as error:  # outermost handler of a call
            log.error("asterisk.call_failed", exc_info=error, extra={"operator": self.connection.operator})
            await call.send_away()
        finally:
            if self.calls.get(call.channel_id) is call:  # it may have come back from a transfer
                del self.calls[call.channel_id]
        await self._end_conversation(call)

    async def _end_conversation(self, call: AsteriskCall) -> None:
        """End the session of a call that is over; what cannot be told the store ends by itself."""
        try:
            await self.events.accept(call.identity.write_end())
        except Exception as error:  # the session's own time ends it
            log.warning("asterisk.end_not_stored", extra={"failure": type(error).__name__})

    def _begin_review(self) -> None:
        self.is_reviewed = False
        self._start(self._review_calls())

    async def _review_calls(self) -> None:
        """After a connect: end calls that are gone, say others' screens again, take up unknown ones."""
        ports, known = self._ports, dict(self.calls)
        if ports is None:
            return
        try:
            present = set(await ports.ari.list_calls(ports.application))
        except ChannelGone:
            present = set()
        except AriError as error:
            log.warning("asterisk.review_failed", extra={"failure": type(error).__name__})
            present = set(known)  # they may still be there: what is not turns out at the next request
        for channel_id, call in known.items():
            if channel_id in present:
                call.interrupt()
            else:
                call.leave()
        for channel_id in sorted(present - self.calls.keys()):
            await self._resume_call(ports.ari, channel_id)
        self.is_reviewed = True

    async def _resume_call(self, ari: AriClient, channel_id: str) -> None:
        """Take up a call another process began, or that entered while nobody was connected."""
        try:
            channel = await ari.find_channel(channel_id)
        except AriError as error:
            log.warning("asterisk.review_failed", extra={"failure": type(error).__name__})
            return
        self._enter_call(channel, (), is_resumed=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel_tasks(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
