"""The conversation: one turn from what a subscriber did to the bytes that answer it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flows.acting import Hop, act
from flows.actions import Action, Outcome
from flows.hops import Keys, note, unheard
from flows.inbound import Inbound
from flows.manners import Manners, card, lost
from flows.people import People, Person
from flows.ports import Opened, SessionKey, Sessions
from flows.records import Change, Notice
from flows.shelf import Shelf
from flows.stopping import heard as stopping
from flows.turns import Turn, Watcher
from flows.vocabulary import AS_OF
from menus.hours import attend
from menus.machine import HOME, RESUME
from menus.menu import Menu
from menus.render import show
from menus.reply import Channel, Reply
from menus.session import Session, load
from menus.surface import SURFACES
from menus.walk import Heard, hear, held, hold, settle, silent, take, text_in, turn_to

log = logging.getLogger("dialtree.turn")
Write = Callable[[Reply | None], bytes]
MOST_STEPS = 8
"""Steps one answer may pass through; more is a loop in the pack."""
NOTES = {"wrong": "note.wrong", "empty": "note.empty"}


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds a turn may take."""

    action: float = 2.5
    """All actions together; then the answer is promised by SMS."""


@dataclass(frozen=True, slots=True)
class Conversations:
    """Everything a turn needs, for all operators."""

    shelf: Shelf
    sessions: Sessions
    people: dict[str, People]
    actions: Mapping[str, Action]
    keys: Keys
    manners: Manners = field(repr=False)
    budget: Budget = field(default_factory=Budget)
    watchers: list[Watcher] = field(default_factory=list, repr=False)
    leavers: list[Callable[[str], None]] = field(default_factory=list, repr=False)
    """Told of conversations the network closed."""

    async def turn(self, inbound: Inbound, write: Write) -> bytes:
        """Answer one request once: a repeat gets the same bytes and moves nothing."""
        key, hop = self._key(inbound), self.keys.hop(inbound)
        told = await self._told_before(inbound)
        if told is not None:
            return told
        opened = await self.sessions.open(key, hop)
        if opened.reply is not None and opened.status in ("replay", "ended"):
            return opened.reply
        if opened.status in ("busy", "limited"):
            return write(self.sorry(inbound.operator, inbound.channel))
        try:
            return await self._answered(inbound, write, key, hop, opened)
        except BaseException:
            await asyncio.shield(self.sessions.release(key, opened))
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

    def _key(self, inbound: Inbound) -> SessionKey:
        return self.keys.session(
            inbound.operator, inbound.provider, inbound.channel, inbound.session_id, inbound.caller
        )

    async def _answered(
        self, inbound: Inbound, write: Write, key: SessionKey, hop: str, opened: Opened
    ) -> bytes:
        people = self.people[inbound.operator]
        began = asyncio.get_running_loop().time()
        kept = _loaded(opened.session)
        number = kept.number if kept else inbound.caller
        person = await people.find(number)
        if kept and self._moved(kept, person):
            kept, number = None, inbound.caller
            person = await people.find(number)
        menu, session, message = self._resumed(inbound, kept, person)
        trusted = inbound.trust == "line" and bool(inbound.caller)
        frame = Hop(
            menu, people, person, f"{key.tag}/{key.name}/{hop}", began + self.budget.action, number, trusted
        )
        fresh = unheard(self.keys, session, inbound)
        if fresh is None:
            await self.sessions.release(key, opened)
            return write(show(menu, session))
        origin = session.state
        reply = await stopping(frame, session, inbound, (fresh or [""])[0] or "")
        if reply is None:
            message = await self._listened(frame, session, inbound, fresh) or message
            note(session, inbound, hop)
            session.turn += 1
            reply = await self._mannered(frame, session, inbound, show(menu, session, message))
            if reply.transfer:
                log.info(
                    "put through",
                    extra={"operator": inbound.operator, "node": reply.context, "language": reply.language},
                )
        body = write(reply)
        await self._tell(frame, inbound, reply, body)
        self._watched(frame, session, reply, key, origin, began)
        await self.sessions.save(key, opened, hop, _left(session, reply), body)
        return body

    def _watched(
        self, frame: Hop, session: Session, reply: Reply, key: SessionKey, origin: str, began: float
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

    async def _listened(self, frame: Hop, session: Session, inbound: Inbound, answers: list[str | None]) -> str:
        """Feed the answers one at a time; stop at a wrong one, at the end, and at what must be confirmed."""
        message = ""
        for index, answer in enumerate(answers):
            if index and frame.menu.nodes[session.state].confirm:
                break
            if answer and card(frame.menu, session, answer):
                return "note.card"
            heard = await self._one(frame, session, inbound, answer)
            frame.said.append(heard.what)
            message = NOTES.get(heard.what, "")
            if message or frame.menu.nodes[session.state].closes:
                break
        return message or ("note.as_of" if AS_OF in session.facts else "")

    async def _mannered(self, frame: Hop, session: Session, inbound: Inbound, reply: Reply) -> Reply:
        """The reply; an empty one where another message would feed a loop or a flood (T13)."""
        if not SURFACES[inbound.channel].messages:
            return reply
        stranger = frame.person.subscriber is None
        strayed = lost(frame.menu, session, inbound.text or "")
        silent = await self.manners.silent(inbound.operator, inbound.caller, stranger=stranger, lost=strayed)
        return replace(reply, text="") if silent else reply

    async def _one(self, frame: Hop, session: Session, inbound: Inbound, answer: str | None) -> Heard:
        origin = session.state
        session.facts.pop(AS_OF, None)
        if answer is None:
            heard = silent(frame.menu, session)
        else:
            heard = (text_in if SURFACES[inbound.channel].messages else hear)(frame.menu, session, answer)
        if heard.what == "moved":
            hold(frame.menu, session, heard)
            await self._stepped(frame, session, heard.typed)
            attend(frame.menu, session, frame.people.world.now)
            settle(frame.menu, session, origin)
        return heard

    async def _stepped(self, frame: Hop, session: Session, typed: str) -> None:
        """Run steps until the session rests on a screen."""
        for _ in range(MOST_STEPS):
            node = frame.menu.nodes[session.state]
            if node.rests:
                return
            outcome = await act(self.actions, frame, session, node, typed)
            frame.passed.append((node.name, outcome.name))
            await self._turned(frame, session, outcome)
            take(frame.menu, session, outcome.name, outcome.facts, outcome.proof)
            typed = held(session) if node.on[outcome.name] == RESUME else typed
            if outcome.language:
                session.language = frame.menu.language(outcome.language)
                frame.people.forget(session.number)
        raise RuntimeError(f"steps without end at {session.state}")

    async def _turned(self, frame: Hop, session: Session, outcome: Outcome) -> None:
        """Go on with another line, if the outcome says so; its kind is what was said, or what is known."""
        to = outcome.subject
        if to is None or to.number == session.number:
            return
        person = Person() if to.kind else await frame.people.find(to.number)
        kind = to.kind or (person.subscriber.kind if person.subscriber else "")
        turn_to(session, to.number, kind, trusted=frame.trusted)

    def _resumed(self, inbound: Inbound, session: Session | None, person: Person) -> tuple[Menu, Session, str]:
        """The session as it was left, or a new one; with a note when its screen is gone."""
        current = self.shelf.current(inbound.operator)
        if session is None:
            return current, self._begun(current, inbound, person), ""
        menu = self.shelf.of(inbound.operator, session.revision) or current
        session.revision = menu.revision
        session.owner = session.owner or self.keys.owner(person.subscriber)
        if person.subscriber and not session.kind:  # billing did not say in time at first
            session.kind, session.language = person.subscriber.kind, menu.language(person.language)
        if session.state in menu.nodes:
            return menu, session, ""
        session.state, session.trail, session.facts, session.page = HOME, (), {}, 0
        return menu, session, "note.restarted"

    def _begun(self, menu: Menu, inbound: Inbound, person: Person) -> Session:
        return Session(
            operator=inbound.operator,
            channel=inbound.channel,
            caller=inbound.caller,
            revision=menu.revision,
            state=HOME,
            language=menu.language(person.language),
            kind=person.subscriber.kind if person.subscriber else "",
            proofs=("line",) if inbound.trust == "line" and inbound.caller else (),
            owner=self.keys.owner(person.subscriber),
        )

    def _moved(self, session: Session, person: Person) -> bool:
        """Has the number a new owner since this began (T8)? What was said and proven before is not theirs."""
        owner = self.keys.owner(person.subscriber)
        return bool(owner and session.owner and owner != session.owner)

    async def _told_before(self, inbound: Inbound) -> bytes | None:
        """A message answered once in the last seven days is answered alike, session or not."""
        if not SURFACES[inbound.channel].messages or not inbound.hop:
            return None
        return await self.people[inbound.operator].world.ledger.reply(self._message_key(inbound))

    async def _tell(self, frame: Hop, inbound: Inbound, reply: Reply, body: bytes) -> None:
        """Remember the answer to a message; send it by the outbox when it cannot ride on the response."""
        if not SURFACES[inbound.channel].messages or not inbound.hop:
            return
        world, key = frame.people.world, self._message_key(inbound)
        notice = Notice(
            key=f"{key}/reply",
            operator=inbound.operator,
            to=inbound.caller,
            route="sms",
            kind="reply",
            body=reply.text,
            language=reply.language,
        )
        notices = (notice,) if reply.text and not inbound.inline else ()
        subscription = frame.person.subscriber.id if frame.person.subscriber else ""
        change = Change(key, inbound.operator, subscription, world.now(), notices=notices, reply=body)
        await world.ledger.commit(change)

    def _message_key(self, inbound: Inbound) -> str:
        return self.keys.mark("message", inbound.operator, inbound.provider, inbound.hop)


def _left(session: Session, reply: Reply) -> bytes | None:
    """What stays of the session: nothing after an end, except where a conversation has none."""
    if reply.ends and not SURFACES[session.channel].messages:
        return None
    if reply.ends:
        session.state, session.trail, session.facts, session.turn = HOME, (), {}, 0
    return session.dump()


def _loaded(data: bytes | None) -> Session | None:
    try:
        return load(data) if data else None
    except ValueError:
        log.error("session not readable")
        return None
