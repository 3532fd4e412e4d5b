"""The conversation: one turn from what a subscriber did to the bytes that answer it."""

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
from flows.engine.opt_out import heard as stopping
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


@dataclass(frozen=True, slots=True)
class Conversations:
    """Everything a turn needs, for all operators."""

    shelf: Shelf
    sessions: Sessions
    people: dict[str, People]
    actions: Mapping[str, Action]
    keys: Keys
    manners: Manners = field(repr=False)
    crowd: Crowd = field(default_factory=Crowd)
    watchers: list[Watcher] = field(default_factory=list, repr=False)
    leavers: list[Callable[[str], None]] = field(default_factory=list, repr=False)
    """Told of conversations the network closed."""

    async def turn(self, inbound: Inbound, write: Write) -> bytes:
        """Answer one request once: a repeat gets the same bytes and moves nothing."""
        key, hop = self._key(inbound), request_key(self.keys, inbound)
        opened = await self.sessions.open(key, hop)
        if opened.reply is not None and opened.status in ("replay", "ended"):
            return opened.reply
        if opened.status in ("busy", "limited"):
            return write(self.sorry(inbound.operator, inbound.channel))
        try:
            return await self._admitted(inbound, write, key, hop, opened)
        except BaseException as broken:
            await asyncio.shield(self._given_up(key, opened, broken))
            raise

    def sorry(self, operator: str, channel: Channel) -> Reply:
        """The closing apology, in the pack's first language: nothing is known of the caller."""
        menu = self.shelf.current(operator)
        return show(menu, Session(operator, channel, "", menu.revision, "house.sorry", menu.language("")))

    async def leave(self, key: SessionKey) -> None:
        """The network closed a conversation: its session is of no use to anyone."""
        await self.sessions.drop(key)
        for leaver in self.leavers:
            leaver(key.name)

    async def _given_up(self, key: SessionKey, opened: Opened, broken: BaseException) -> None:
        """What failed or was cancelled may be tried again. What broke in a way nobody foresaw would break once
        more on the same session (T33): it is forgotten, and the caller begins anew.
        """
        foreseen = isinstance(broken, Failure | TimeoutError) or not isinstance(broken, Exception)
        await (self.sessions.release(key, opened) if foreseen else self.sessions.drop(key))

    def _key(self, inbound: Inbound) -> SessionKey:
        return self.keys.session(
            inbound.operator, inbound.provider, inbound.channel, inbound.session_id, inbound.caller
        )

    async def _admitted(
        self, inbound: Inbound, write: Write, key: SessionKey, hop: str, opened: Opened
    ) -> bytes:
        """Whoever begins while too much is under way is turned away; a text may take its time."""
        hurried = opened.status == "new" and not SURFACES[inbound.channel].messages
        if hurried and self.crowd.turns_away():
            await self.sessions.release(key, opened)
            return write(self.sorry(inbound.operator, inbound.channel))
        with self.crowd:
            return await self._answered(inbound, write, key, hop, opened)

    async def _answered(
        self, inbound: Inbound, write: Write, key: SessionKey, hop: str, opened: Opened
    ) -> bytes:
        told = await told_before(self.keys, self.people[inbound.operator], inbound)
        if told is not None:
            await self.sessions.release(key, opened)
            return told
        began = asyncio.get_running_loop().time()
        frame, session, message = await self._framed(inbound, f"{key.tag}/{key.name}/{hop}", opened, began)
        fresh = unheard(self.keys, session, inbound)
        if fresh is None:
            await self.sessions.release(key, opened)
            return write(show(frame.menu, session))
        origin = session.state
        reply = await stopping(frame, session, inbound, (fresh or [""])[0] or "")
        if reply is None:
            message = await listen(frame, session, fresh) or message
            note(session, inbound, hop)
            session.turn += 1
            reply = await self._mannered(frame, session, inbound, show(frame.menu, session, message))
            _put_through(inbound, reply)
        body = write(reply)
        await tell(self.keys, frame.people, frame.person, inbound, reply, body)
        self._watched(frame, session, reply, key, origin, began)
        await self.sessions.save(key, opened, hop, left(session, reply), body)
        return body

    async def _framed(
        self, inbound: Inbound, effects: str, opened: Opened, began: float
    ) -> tuple[Frame, Session, str]:
        """Whom the turn is about and the session it goes on with; with a note when its screen is gone."""
        people, kept = self.people[inbound.operator], loaded(opened.session, inbound)
        person = await people.glimpse(kept.number if kept else inbound.caller)
        if kept and changed_hands(kept, person):
            kept, person = None, await people.glimpse(inbound.caller)
        menu, session, message = resumed(self.shelf, inbound, kept, person)
        frame = Frame(
            menu=menu,
            people=people,
            person=person,
            actions=self.actions,
            key=effects,
            until=began + people.patience.action,
            number=session.number,
            trusted=inbound.trust == "line" and bool(inbound.caller),
        )
        return frame, session, message

    def _watched(
        self, frame: Frame, session: Session, reply: Reply, key: SessionKey, origin: str, began: float
    ) -> None:
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
            seconds=asyncio.get_running_loop().time() - began,
            ends=reply.ends,
        )
        for watcher in self.watchers:
            watcher(turn)

    async def _mannered(self, frame: Frame, session: Session, inbound: Inbound, reply: Reply) -> Reply:
        """The reply; an empty one where another message would feed a loop or a flood (T13)."""
        if not SURFACES[inbound.channel].messages:
            return reply
        stranger = frame.person.subscriber is None
        strayed = lost(frame.menu, session, inbound.text or "")
        silent = await self.manners.silent(inbound.operator, inbound.caller, stranger=stranger, lost=strayed)
        return replace(reply, text="") if silent else reply


def _put_through(inbound: Inbound, reply: Reply) -> None:
    """For whom answers the call: where the caller came from."""
    if reply.transfer:
        told = {"operator": inbound.operator, "node": reply.context, "language": reply.language}
        log.info("put through", extra=told)
