"""Conversation engine: from one inbound event to one turn, exactly once."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flows.domain.conversation_records import TurnRecorder
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from flows.engine.flood_guard import FloodGuard
from flows.engine.inbound import Inbound
from flows.engine.load_shedding import LoadShedder
from flows.engine.menu_turn import MenuTurns, OpenTurn
from flows.engine.replay import has_no_request_id, is_new_dial, request_key
from flows.engine.reply_acknowledgement import PendingAcknowledgements, ReplyAcknowledgement
from flows.engine.session_lease import SessionLease
from flows.engine.sms_turn import SmsTurns
from flows.engine.step_runner import LeaseRequiredError
from flows.engine.turn import Turn
from flows.engine.turn_event import TurnListener
from menus.machine.surface import SURFACES
from menus.model.reply import Channel, Reply, decode_reply
from menus.model.session import Session
from menus.render.text_screen import render_reply

log = logging.getLogger("dialtree.turn")
SESSION_SECONDS = {"ussd": 180.0, "voice": 180.0, "sms": 600.0}
"""How long a session outlives its last turn: networks end USSD and calls sooner; a text may be read later."""


@dataclass(frozen=True, slots=True)
class TurnEngine:
    """The turn engine of all operators."""

    menu_turns: MenuTurns
    sessions: SessionStore
    flood_guard: FloodGuard = field(repr=False)
    load_shedder: LoadShedder = field(default_factory=LoadShedder)
    close_listeners: list[Callable[[str], None]] = field(default_factory=list, repr=False)
    """Called with the session hash of each conversation that the network ended."""
    pending_acknowledgements: PendingAcknowledgements = field(default_factory=dict, repr=False)
    sms_turns: SmsTurns = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sms_turns", SmsTurns(self.menu_turns, self.flood_guard))

    @property
    def turn_listeners(self) -> list[TurnListener]:
        """Return the listeners called after every turn."""
        return self.menu_turns.turn_listeners

    @property
    def turn_recorders(self) -> list[TurnRecorder]:
        """Return the recorders of the conversation history."""
        return self.menu_turns.turn_recorders

    async def run_turn(self, inbound: Inbound) -> Turn:
        """Answer one request exactly once: a duplicate gets the same reply and changes nothing.

        A turn without steps is run on what this process saved last, where it knows that, and verified as it is
        saved; every other turn has the session leased. A session id that comes again for a new dial, after an
        end or in mid-session, begins at home.
        """
        if not inbound.caller and SURFACES[inbound.channel].is_message_based:
            return _ignore_message(inbound)
        key, request_id = self.session_key(inbound), request_key(self.menu_turns.pseudonyms, inbound)
        if sending := self.pending_acknowledgements.get(key.session_hash):
            await sending.wait()
        recalled = self._recall_session(inbound, key, request_id)
        turn = await self._try_recalled(recalled) if recalled else None
        return turn or await self._run_opened(inbound, key, request_id, recalled)

    def _recall_session(self, inbound: Inbound, key: SessionKey, request_id: str) -> SessionLease | None:
        """Return the session as this process saved it last; None where the turn needs a lease from the start.

        A text message always has effects: what is sent is counted, and the reply goes by the outbox.
        """
        is_message = SURFACES[inbound.channel].is_message_based
        recalled = None if is_message else self.sessions.recall(key, request_id)
        if recalled is None:
            return None
        started_at = asyncio.get_running_loop().time()
        return SessionLease(self.sessions, inbound, key, request_id, recalled, started_at)

    async def _try_recalled(self, lease: SessionLease) -> Turn | None:
        """Answer from a recalled session, with one round trip to the store; None where that cannot be.

        Nothing has happened then: an answer leads to a step, which may have effects, or the store refused to
        save, as somebody else has answered since.
        """
        try:
            with self.load_shedder:
                return await self._run_recalled(lease)
        except LeaseRequiredError:
            return None
        except BaseException as error:
            await lease.abandon(error)
            raise

    async def _run_recalled(self, lease: SessionLease) -> Turn | None:
        """Run a turn of USSD or voice without a lease and save it; an old request may only seem to be one."""
        turn = await self.menu_turns.restore(lease)
        reply = await self.menu_turns.answer(turn)
        if reply is None or not await self.menu_turns.save(turn, reply):
            return None
        return self._as_turn(turn, reply)

    async def _run_opened(
        self, inbound: Inbound, key: SessionKey, request_id: str, recalled: SessionLease | None
    ) -> Turn:
        """Answer under a lease; after an attempt without one the turn has no more time than before."""
        opened = await self.sessions.open(key, request_id)
        is_redial = opened.status == "ended" and is_new_dial(inbound)
        if is_redial:
            await self.sessions.delete_session(key)
            opened = await self.sessions.open(key, request_id)
        if opened.reply is not None and opened.status in ("replay", "ended"):
            return self._repeat_turn(inbound, key, opened)
        if opened.status in ("busy", "limited"):
            return Turn(self.apology_reply(inbound.operator, inbound.channel))
        started_at = recalled.started_at if recalled else asyncio.get_running_loop().time()
        lease = SessionLease(self.sessions, inbound, key, request_id, opened, started_at, is_redial)
        try:
            return await self._answer_or_shed(lease)
        except BaseException as error:
            await lease.abandon(error)
            raise

    def apology_reply(self, operator: str, channel: Channel, language: str = "") -> Reply:
        """Return the apology that ends a session, in the pack's first language for unknown callers."""
        menu = self.menu_turns.menu_versions.current_menu(operator)
        return render_reply(
            menu,
            Session(operator, channel, "", menu.revision, "house.sorry", menu.supported_language(language)),
        )

    def session_key(self, inbound: Inbound) -> SessionKey:
        """Return the storage key of the conversation a request belongs to."""
        return self.conversation_key(
            inbound.operator, inbound.provider, inbound.channel, inbound.session_id, inbound.caller
        )

    def conversation_key(
        self, operator: str, provider: str, channel: str, session_id: str, caller: str
    ) -> SessionKey:
        """Return the storage key of a conversation; the only place where session keys are built.

        It is bound to the caller: a guessed session id finds nothing.
        """
        pseudonyms, seconds = self.menu_turns.pseudonyms, SESSION_SECONDS[channel]
        subscriber_hash = pseudonyms.keyed_hash(operator, caller)
        session_hash = pseudonyms.keyed_hash(provider, channel, session_id, caller)
        minutes = self.menu_turns.menu_versions.current_menu(operator).config.rules.resume_minutes
        if not caller or not minutes or SURFACES[channel].is_message_based:
            return SessionKey(subscriber_hash, session_hash, seconds)
        resume_hash = pseudonyms.resume_hash(channel)
        return SessionKey(subscriber_hash, session_hash, seconds, resume_hash, 60.0 * minutes)

    async def end_session(self, key: SessionKey) -> None:
        """Delete the session of a conversation that the network ended, and notify the listeners."""
        await self.sessions.delete_session(key)
        for listener in self.close_listeners:
            listener(key.session_hash)

    async def _answer_or_shed(self, lease: SessionLease) -> Turn:
        """Refuse a new session while the load shedder is full, except SMS, which may wait."""
        if SURFACES[lease.inbound.channel].is_message_based:
            with self.load_shedder:
                return await self.sms_turns.run(lease)
        if lease.opened.status == "new" and self.load_shedder.should_shed():
            await lease.release()
            return Turn(self.apology_reply(lease.inbound.operator, lease.inbound.channel))
        with self.load_shedder:
            return await self._run_menu_turn(lease)

    async def _run_menu_turn(self, lease: SessionLease) -> Turn:
        """Run a turn of USSD or voice; an old request that arrives late shows the current screen again."""
        turn = await self.menu_turns.restore(lease)
        reply = await self.menu_turns.answer(turn)
        if reply is None:
            await lease.release()
            return Turn(render_reply(turn.context.menu, turn.session))
        return self._as_turn(turn, reply)

    def _as_turn(self, turn: OpenTurn, reply: Reply) -> Turn:
        """Return the answered turn, to be written and committed."""
        lease = turn.lease
        commit = partial(self.menu_turns.commit, turn, reply)
        acknowledgement = self._acknowledgement(lease.inbound, lease.key, lease.opened.version + 1)
        return Turn(reply, commit, acknowledgement, lease.abandon)

    def _repeat_turn(self, inbound: Inbound, key: SessionKey, opened: OpenedSession) -> Turn:
        """Return the stored reply again; an apology when an earlier release stored it in another form."""
        try:
            reply = decode_reply(opened.reply or b"", inbound.channel)
        except ValueError:
            return Turn(self.apology_reply(inbound.operator, inbound.channel))
        return Turn(reply, acknowledgement=self._acknowledgement(inbound, key, opened.version))

    def _acknowledgement(self, inbound: Inbound, key: SessionKey, version: int) -> ReplyAcknowledgement | None:
        """Return what is to be completed once the reply was sent; None where a request has an id."""
        if not has_no_request_id(inbound):
            return None
        return ReplyAcknowledgement(self.sessions, key, version, self.pending_acknowledgements)


def _ignore_message(inbound: Inbound) -> Turn:
    """Answer nothing to a sender that is a name or a short code: it proves nothing and cannot be replied to.

    Such senders would share one session, as all of them are read as no number.
    """
    log.info("sms.sender_ignored", extra={"operator": inbound.operator, "provider": inbound.provider})
    return Turn(Reply(inbound.channel, "", "", 0, ends_session=True))
