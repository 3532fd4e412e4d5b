"""Conversation turn: from one inbound event to the response bytes, exactly once."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flows.domain.actions import Action
from flows.domain.failures import Failure
from flows.domain.ports import Opened, SessionKey, Sessions
from flows.domain.pseudonyms import Keys
from flows.engine.answers import listen
from flows.engine.flood_guard import Manners, lost
from flows.engine.inbound import Inbound
from flows.engine.load_shedding import Crowd
from flows.engine.menu_versions import Shelf
from flows.engine.opt_out import heard
from flows.engine.replay import note, request_key, unheard
from flows.engine.session_restore import changed_hands, left, loaded, resumed
from flows.engine.sms_replies import tell, told_before
from flows.engine.step_runner import Frame
from flows.engine.subscriber_cache import People
from flows.engine.turn_event import Turn, Watcher
from menus.machine.surface import SURFACES
from menus.model.reply import Channel, Reply
from menus.model.session import Session
from menus.render.screen import show

log = logging.getLogger("dialtree.turn")
Write = Callable[[Reply | None], bytes]
"""Encodes a reply as the provider's response body."""


@dataclass(frozen=True, slots=True)
class Conversations:
    """The turn engine of all operators: everything a turn needs."""

    shelf: Shelf
    sessions: Sessions
    people: dict[str, People]
    actions: Mapping[str, Action]
    keys: Keys
    manners: Manners = field(repr=False)
    crowd: Crowd = field(default_factory=Crowd)
    watchers: list[Watcher] = field(default_factory=list, repr=False)
    leavers: list[Callable[[str], None]] = field(default_factory=list, repr=False)
    """Called with the session hash of each conversation that the network ended."""

    async def turn(self, inbound: Inbound, write: Write) -> bytes:
        """Answer one request exactly once: a duplicate gets the same bytes and changes nothing."""
        key, request_id = self._key(inbound), request_key(self.keys, inbound)
        opened = await self.sessions.open(key, request_id)
        if opened.reply is not None and opened.status in ("replay", "ended"):
            return opened.reply
        if opened.status in ("busy", "limited"):
            return write(self.sorry(inbound.operator, inbound.channel))
        try:
            return await self._admitted(inbound, write, key, request_id, opened)
        except BaseException as error:
            await asyncio.shield(self._given_up(key, opened, error))
            raise

    def sorry(self, operator: str, channel: Channel) -> Reply:
        """Return the apology that ends a session, in the pack's first language, for unknown callers."""
        menu = self.shelf.current(operator)
        return show(menu, Session(operator, channel, "", menu.revision, "house.sorry", menu.language("")))

    async def leave(self, key: SessionKey) -> None:
        """Delete the session of a conversation that the network ended, and notify the listeners."""
        await self.sessions.drop(key)
        for listener in self.leavers:
            listener(key.name)

    async def _given_up(self, key: SessionKey, opened: Opened, error: BaseException) -> None:
        """Release the session after a failure or a cancellation; delete it after an unexpected exception.

        An unexpected exception would recur on the same session (T33), so the caller starts a new one.
        """
        expected = isinstance(error, Failure | TimeoutError) or not isinstance(error, Exception)
        await (self.sessions.release(key, opened) if expected else self.sessions.drop(key))

    def _key(self, inbound: Inbound) -> SessionKey:
        return self.keys.session(
            inbound.operator, inbound.provider, inbound.channel, inbound.session_id, inbound.caller
        )

    async def _admitted(
        self, inbound: Inbound, write: Write, key: SessionKey, request_id: str, opened: Opened
    ) -> bytes:
        """Refuse a new session while the load shedder is full, except SMS, which may wait."""
        may_shed = opened.status == "new" and not SURFACES[inbound.channel].messages
        if may_shed and self.crowd.turns_away():
            await self.sessions.release(key, opened)
            return write(self.sorry(inbound.operator, inbound.channel))
        with self.crowd:
            return await self._answered(inbound, write, key, request_id, opened)

    async def _answered(
        self, inbound: Inbound, write: Write, key: SessionKey, request_id: str, opened: Opened
    ) -> bytes:
        """Run the turn, or repeat the stored reply of an SMS answered before."""
        stored_reply = await told_before(self.keys, self.people[inbound.operator], inbound)
        if stored_reply is not None:
            await self.sessions.release(key, opened)
            return stored_reply
        started_at = asyncio.get_running_loop().time()
        effects_key = f"{key.tag}/{key.name}/{request_id}"
        frame, session, message = await self._framed(inbound, effects_key, opened, started_at)
        answers = unheard(self.keys, session, inbound)
        if answers is None:
            await self.sessions.release(key, opened)
            return write(show(frame.menu, session))
        origin = session.state
        reply = await heard(frame, session, inbound, (answers or [""])[0] or "")
        if reply is None:
            message = await listen(frame, session, answers) or message
            note(session, inbound, request_id)
            session.turn += 1
            reply = await self._mannered(frame, session, inbound, show(frame.menu, session, message))
            _put_through(inbound, reply)
        body = write(reply)
        await tell(self.keys, frame.people, frame.person, inbound, reply, body)
        self._watched(frame, session, reply, key, origin, started_at)
        await self.sessions.save(key, opened, request_id, left(session, reply), body)
        return body

    async def _framed(
        self, inbound: Inbound, effects_key: str, opened: Opened, started_at: float
    ) -> tuple[Frame, Session, str]:
        """Look up the caller and restore or start the session.

        The last value is the note to show when the stored screen no longer exists, else empty.
        """
        subscribers, stored = self.people[inbound.operator], loaded(opened.session, inbound)
        profile = await subscribers.glimpse(stored.number if stored else inbound.caller)
        if stored and changed_hands(stored, profile):
            stored, profile = None, await subscribers.glimpse(inbound.caller)
        menu, session, message = resumed(self.shelf, inbound, stored, profile)
        frame = Frame(
            menu=menu,
            people=subscribers,
            person=profile,
            actions=self.actions,
            key=effects_key,
            until=started_at + subscribers.patience.action,
            number=session.number,
            trusted=inbound.trust == "line" and bool(inbound.caller),
        )
        return frame, session, message

    def _watched(
        self, frame: Frame, session: Session, reply: Reply, key: SessionKey, origin: str, started_at: float
    ) -> None:
        """Send the turn event to every listener."""
        if not self.watchers:
            return
        turn = Turn(
            operator=session.operator,
            channel=session.channel,
            conversation=key.name,
            subscriber=key.tag if session.caller else "",
            revision=session.revision,
            language=session.language,
            origin=origin,
            screen=reply.node,
            said=frame.said[-1] if frame.said else "begun",
            steps=tuple(frame.passed),
            trail=session.trail,
            seconds=asyncio.get_running_loop().time() - started_at,
            ends=reply.ends,
        )
        for listener in self.watchers:
            listener(turn)

    async def _mannered(self, frame: Frame, session: Session, inbound: Inbound, reply: Reply) -> Reply:
        """Return the reply, emptied when the flood guard suppresses it to stop a loop or a flood (T13)."""
        if not SURFACES[inbound.channel].messages:
            return reply
        stranger = frame.person.subscriber is None
        unrecognised = lost(frame.menu, session, inbound.text or "")
        suppressed = await self.manners.silent(
            inbound.operator, inbound.caller, stranger=stranger, lost=unrecognised
        )
        return replace(reply, text="") if suppressed else reply


def _put_through(inbound: Inbound, reply: Reply) -> None:
    """Log a call transfer with the screen it came from, for the agent who answers it."""
    if reply.transfer:
        fields = {"operator": inbound.operator, "node": reply.context, "language": reply.language}
        log.info("call.transferred", extra=fields)
