"""One call through Asterisk: screens said, keys gathered, then a hang-up or a transfer."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from flows.engine.inbound import Inbound
from gateway.asterisk.ari_client import AriClient, AriError, AriRefused, ChannelGone
from gateway.asterisk.ari_events import CallEvent, CallLeft, KeyPressed, PlaybackEnded, is_same_press
from gateway.providers._asterisk.call_prompts import CallPrompts, PreparedPrompts
from gateway.providers._asterisk.screen_input import CollectedAnswer, ScreenInput
from gateway.providers._asterisk.trunk_caller import RESUMED_STEP, TrunkCall
from gateway.providers.contract import LinkEvents
from gateway.speech.speech_command import SpeechFailed
from menus.model.reply import Reply

log = logging.getLogger("dialtree.asterisk")
PLAYBACK_GRACE_SECONDS = 5.0
"""How much longer than its sounds a playback may take before it counts as over: its event can be lost."""
MAX_WAITING_EVENTS = 200
"""Most events a call keeps while a turn is under way; more keys than that nobody presses."""
AWAY_LABEL = "away"
"""Label of the dialplan where a call goes on when we cannot serve it."""


@dataclass(frozen=True, slots=True)
class CallPorts:
    """What the calls of a link share."""

    ari: AriClient = field(repr=False)
    prompts: CallPrompts = field(repr=False)
    events: LinkEvents = field(repr=False)
    application: str
    transfer_context: str
    ring_seconds: int
    is_connected: Callable[[], bool] = field(repr=False)
    """Returns whether events come."""
    now: Callable[[], float] = field(repr=False)
    """Returns the seconds of the event loop's clock."""


CallStage = Literal["preparing", "playing", "listening"]
"""What a call does: a turn or the speech for it, its prompts, or waiting for keys behind them."""


class ScreenInterrupted(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Events may have been missed: the screen is said again from its beginning."""


@dataclass(eq=False, slots=True)
class AsteriskCall:
    """The conversation of one channel, from its entry until it leaves our application."""

    identity: TrunkCall
    ports: CallPorts = field(repr=False)
    inbox: "asyncio.Queue[KeyPressed | PlaybackEnded | None]" = field(default_factory=asyncio.Queue, repr=False)
    """Keys and ends of playbacks in order; None only wakes the call."""
    has_left: bool = False
    is_interrupted: bool = False
    stage: CallStage = "preparing"
    reply: Reply | None = field(default=None, repr=False)
    """The screen that is said now."""
    turn_over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set while no turn is under way."""
    last_key: KeyPressed | None = field(default=None, repr=False)
    playback_numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    @property
    def channel_id(self) -> str:
        """The id of its channel, and of its conversation."""
        return self.identity.channel.id

    async def run(self, *, is_resumed: bool = False) -> None:
        """Serve the call to its end; `is_resumed` when another process began it."""
        event = self.identity.write_input(None if is_resumed else "", RESUMED_STEP if is_resumed else "")
        await self._serve(self._converse(event))

    async def say_goodbye(self, reply: Reply) -> None:
        """Say a last reply and hang up: what follows a transfer nobody answered."""
        self.reply = reply
        await self._serve(self._finish(reply))

    def take_event(self, event: CallEvent) -> None:
        """Take an event of the channel; keys are dropped while very many wait."""
        if isinstance(event, CallLeft):
            self.leave()
        elif isinstance(event, PlaybackEnded) or self.inbox.qsize() < MAX_WAITING_EVENTS:
            self.inbox.put_nowait(event)

    def leave(self) -> None:
        """End the call: its channel is not in our application any more. A turn under way is finished first."""
        self.has_left = True
        self.inbox.put_nowait(None)

    def interrupt(self) -> None:
        """Say the current screen again: the connection to Asterisk was lost for a while."""
        self.is_interrupted = True
        self.inbox.put_nowait(None)

    async def _serve(self, conversation: Coroutine[Any, Any, None]) -> None:
        """Answer the call and run a conversation; what we cannot say or do is left to the dialplan."""
        try:
            await self.ports.ari.answer_call(self.channel_id)
            await conversation
        except ChannelGone:
            return
        except (AriError, SpeechFailed, OSError) as error:
            log.error("asterisk.call_failed", extra=self._extra(failure=type(error).__name__))
            await self.send_away()
        finally:
            conversation.close()
            await self.ports.prompts.folder.delete_call(self.channel_id)

    async def _converse(self, event: Inbound) -> None:
        reply = await self._take_turn(event)
        while reply.gather is not None:
            answer = await self._say_screen(reply)
            reply = await self._take_turn(self.identity.write_input(answer.text, str(reply.turn)))
        await self._finish(reply)

    async def _take_turn(self, event: Inbound) -> Reply:
        """Run a turn to its end, whether or not the caller is still there: what was confirmed is done."""
        self.stage = "preparing"
        self.turn_over.clear()
        try:
            await self.ports.events.answer(event, self._keep_reply)
        finally:
            self.turn_over.set()
        if self.reply is None:
            raise AriError("no reply")
        return self.reply

    async def _keep_reply(self, reply: Reply) -> None:
        self.reply = reply

    async def _say_screen(self, reply: Reply) -> CollectedAnswer:
        """Say a screen until it was not interrupted, and return the answer."""
        while True:
            try:
                return await self._gather_answer(reply)
            except ScreenInterrupted:
                self.is_interrupted = False

    async def _gather_answer(self, reply: Reply) -> CollectedAnswer:
        """Say a screen and collect the caller's answer; what is not played is tried once more."""
        prompts = await self.ports.prompts.prepare(reply, self.channel_id)
        for is_last in (False, True):
            try:
                return await self._say_once(reply, prompts, is_last=is_last)
            except (ChannelGone, AriRefused):
                raise
            except AriError as error:
                log.warning("asterisk.playback_failed", extra=self._extra(failure=type(error).__name__))
        raise AriError("the prompts cannot be played")

    async def _say_once(self, reply: Reply, prompts: PreparedPrompts, *, is_last: bool) -> CollectedAnswer:
        """Play the prompts and collect the answer; AriError when they were not played."""
        screen = ScreenInput(reply.gather, await self._start_playback(prompts))
        screen.deadline = self.ports.now() + prompts.seconds + PLAYBACK_GRACE_SECONDS
        answer = None if screen.playback_id else screen.end_prompts(self.ports.now())
        while answer is None:
            self.stage = "listening" if screen.is_listening else "playing"
            event = await self._next_event(screen.deadline)
            answer = await self._apply_event(screen, event, is_last=is_last)
        return answer

    async def _apply_event(
        self, screen: ScreenInput, event: KeyPressed | PlaybackEnded | None, *, is_last: bool
    ) -> CollectedAnswer | None:
        """Return the answer an event completes, or the deadline, which is no event."""
        if event is None:
            return screen.pass_deadline(self.ports.now())
        if isinstance(event, PlaybackEnded):
            return self._end_playback(screen, event, is_last=is_last)
        playing = screen.playback_id
        answer = screen.press_key(event.key, self.ports.now())
        if playing and not screen.playback_id:
            await self._stop_playback(playing)
        return answer

    def _end_playback(
        self, screen: ScreenInput, event: PlaybackEnded, *, is_last: bool
    ) -> CollectedAnswer | None:
        """Take the end of the screen's own playback; AriError when it failed and may be tried again."""
        if event.playback_id != screen.playback_id:
            return None
        if event.has_failed and not is_last:
            raise AriError("the playback failed")
        return screen.end_prompts(self.ports.now())

    async def _start_playback(self, prompts: PreparedPrompts) -> str:
        """Begin to play; return the playback's id, empty when there is nothing to play.

        Keys pressed before are dropped: nobody answers a screen unheard, a confirmation least of all.
        """
        while not self.inbox.empty():
            self.inbox.get_nowait()
        self._check_state()
        if not prompts.media:
            return ""
        playback_id = f"{self.ports.application}-{self.channel_id}-{next(self.playback_numbers)}"
        await self.ports.ari.play_sounds(self.channel_id, playback_id, prompts.media)
        return playback_id

    async def _next_event(self, deadline: float) -> KeyPressed | PlaybackEnded | None:
        """Return the next event; None at the deadline. Raises when the call is over or interrupted.

        While Asterisk is not connected no deadline passes: a silence nobody could break is none.
        """
        while True:
            try:
                async with asyncio.timeout_at(deadline if self.ports.is_connected() else None):
                    event = await self.inbox.get()
            except TimeoutError:
                if self.ports.is_connected():
                    return None
                continue
            if event is None:
                self._check_state()
            elif not self._is_repeat(event):  # a key pressed before the hang-up still counts
                return event

    def _is_repeat(self, event: KeyPressed | PlaybackEnded) -> bool:
        """Return whether the event tells of a key that was taken already; remember it if not."""
        if not isinstance(event, KeyPressed):
            return False
        if is_same_press(self.last_key, event):
            return True
        self.last_key = event
        return False

    def _check_state(self) -> None:
        if self.has_left:
            raise ChannelGone("the call has left")
        if self.is_interrupted:
            raise ScreenInterrupted

    async def _stop_playback(self, playback_id: str) -> None:
        """Interrupt what is played (barge-in); it may have ended by itself."""
        with suppress(AriError):
            await self.ports.ari.stop_playback(playback_id)

    async def _finish(self, reply: Reply) -> None:
        """Say a last screen; then transfer the call, or hang up."""
        await self._say_screen(reply)
        if reply.transfer_to:
            await self._transfer(reply)
        else:
            await self.ports.ari.hang_up(self.channel_id)

    async def _transfer(self, reply: Reply) -> None:
        """Let the dialplan dial the agent; it sends the call back to us when nobody answers."""
        await self.ports.ari.set_variables(self.channel_id, transfer_variables(reply, self.ports))
        await self.ports.ari.continue_call(self.channel_id, context=self.ports.transfer_context, extension="s")

    async def send_away(self) -> None:
        """Let the call go on at the dialplan's label `away`; hang up where there is none."""
        try:
            await self.ports.ari.continue_call(self.channel_id, label=AWAY_LABEL)
        except AriError:  # a missing label is answered like a missing channel
            await self._hang_up_busy()

    async def _hang_up_busy(self) -> None:
        try:
            await self.ports.ari.hang_up(self.channel_id, "congestion")
        except ChannelGone:
            return
        except AriError as error:
            log.error("asterisk.hang_up_failed", extra=self._extra(failure=type(error).__name__))

    def _extra(self, **more: str) -> dict[str, str]:
        return {"operator": self.identity.connection.operator, **more}


def transfer_variables(reply: Reply, ports: CallPorts) -> Mapping[str, str]:
    """Return the channel variables the dialplan's transfer context reads."""
    return {
        "DIALTREE_AGENT": reply.transfer_to,
        "DIALTREE_APPLICATION": ports.application,
        "DIALTREE_LANGUAGE": reply.language,
        "DIALTREE_LIMIT_MS": str(reply.transfer_limit_seconds * 1000),
        "DIALTREE_RING_SECONDS": str(ports.ring_seconds),
        "DIALTREE_SCREEN": reply.transfer_context,
    }
