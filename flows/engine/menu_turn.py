"""Menu turn: restore the session, apply the answers and render the screen; the same on every channel."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from flows.domain.actions import Action, OperatorPorts
from flows.domain.conversation_records import RecordedTurn, TurnRecorder
from flows.domain.failures import Slow
from flows.domain.pseudonyms import Pseudonyms
from flows.engine.answers import apply_answers
from flows.engine.inbound import Inbound
from flows.engine.menu_versions import MenuVersions
from flows.engine.replay import has_no_request_id, is_redial, new_answers, remember_watermark
from flows.engine.session_lease import SessionLease
from flows.engine.session_restore import (
    decode_session,
    find_earlier,
    hides_subscriber,
    offer_earlier,
    owner_changed,
    restore_or_start,
    session_to_store,
)
from flows.engine.step_runner import TurnContext
from flows.engine.subscriber_cache import CallerProfile, SubscriberCache
from flows.engine.turn_event import TurnEvent, TurnListener
from flows.engine.turn_recording import session_snapshot
from flows.selfcare.pay import CARD_ACTION
from menus.machine.menu import Menu
from menus.machine.unavailable_options import without_options_to
from menus.model.reply import Reply
from menus.model.session import Session
from menus.render.text_screen import render_reply
from menus.resumption import is_resumable

log = logging.getLogger("dialtree.turn")
MAX_PLAIN_MENUS = 64


@dataclass(slots=True)
class OpenTurn:
    """A turn under way: its session, restored, and what its actions need."""

    lease: SessionLease
    context: TurnContext = field(repr=False)
    session: Session = field(repr=False)
    note: str = ""
    """Name of the note to show when the stored screen no longer exists, else empty."""
    origin: str = ""
    """Screen before the turn."""
    replacement: str | None = None
    """Name of the text sent in place of the screen; empty when nothing is sent, None for the screen."""
    snapshot: bytes = field(default=b"", repr=False)
    """The session as it is kept in the history; empty where no history is kept."""


@dataclass(frozen=True, slots=True)
class MenuTurns:
    """Runs the part of a turn that all channels share."""

    menu_versions: MenuVersions
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    subscriber_caches: Mapping[str, SubscriberCache] = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)
    pseudonyms: Pseudonyms
    turn_listeners: list[TurnListener] = field(default_factory=list, repr=False)
    turn_recorders: list[TurnRecorder] = field(default_factory=list, repr=False)
    """Called with each turn that was stored, of callers whose number is known."""
    plain_menus: LRUCache[tuple[str, str], Menu] = field(
        default_factory=lambda: LRUCache(MAX_PLAIN_MENUS), repr=False
    )
    """By operator and revision, the menu for connections that take no cards, where others do."""

    async def restore(self, lease: SessionLease) -> OpenTurn:
        """Look up the caller and restore or start the session."""
        inbound = lease.inbound
        subscribers, stored = (
            self.subscriber_caches[inbound.operator],
            decode_session(lease.opened.session, inbound),
        )
        begins_anew = lease.is_redial or bool(stored and is_redial(stored, inbound))
        stored = None if begins_anew else stored
        profile = await self._find_profile(lease, stored)
        if stored and owner_changed(stored, profile):
            stored, profile = None, await subscribers.find_quickly(inbound.caller)
        caller_hash = lease.key.subscriber_hash
        menu, session, note = restore_or_start(self.menu_versions, inbound, stored, profile, caller_hash)
        menu = self._fit_to_connection(menu, inbound)
        if begins_anew or (stored is None and has_no_request_id(inbound)):
            session.dial = self._new_dial_number(lease)
        if stored is None and not new_answers(self.pseudonyms, session, inbound):
            offer_earlier(menu, inbound, session, find_earlier(menu, inbound, lease.opened), profile)
        deadline = lease.started_at + subscribers.time_budgets.action_seconds
        is_caller_trusted = inbound.trust == "line" and bool(inbound.caller)
        is_leased = not lease.opened.is_recalled
        context = TurnContext(
            menu,
            self.operators[inbound.operator],
            subscribers,
            profile,
            self.actions,
            lease.effects_key(session),
            deadline,
            session.msisdn,
            is_caller_trusted,
            is_leased,
        )
        return OpenTurn(lease, context, session, note, session.state)

    def _fit_to_connection(self, menu: Menu, inbound: Inbound) -> Menu:
        """Return the menu without what the request's connection cannot do."""
        if inbound.takes_cards or not self.operators[inbound.operator].takes_call_cards:
            return menu
        key = menu.name, menu.revision
        if key not in self.plain_menus:
            self.plain_menus[key] = without_options_to(menu, {CARD_ACTION})
        return self.plain_menus[key]

    async def _find_profile(self, lease: SessionLease, stored: Session | None) -> CallerProfile:
        """Look up the line's subscriber; later, where a new caller on an unproven connection says nothing yet.

        So the first answer to a known and to an unknown number is the same and takes as long: nothing is read.
        """
        inbound = lease.inbound
        subscribers = self.subscriber_caches[inbound.operator]
        if stored is None and hides_subscriber(inbound):
            not_asked = CallerProfile(lookup_failure=Slow)
            caller_hash = lease.key.subscriber_hash
            _, session, _ = restore_or_start(self.menu_versions, inbound, None, not_asked, caller_hash)
            if not new_answers(self.pseudonyms, session, inbound):
                return not_asked
        return await subscribers.find_quickly(stored.msisdn if stored else inbound.caller)

    def _new_dial_number(self, lease: SessionLease) -> int:
        """Return a number that no earlier conversation of the same session id had, in any process.

        Fencing tokens of this process's memory begin anew with it, the clock does not.
        """
        milliseconds = int(self.operators[lease.inbound.operator].now().timestamp() * 1000)
        return milliseconds * 1000 + abs(lease.opened.fencing_token) % 1000

    async def answer(self, turn: OpenTurn) -> Reply | None:
        """Apply the request's answers and return the screen; None when it is an old request, arrived late.

        LeaseRequiredError when an answer of a turn without a lease leads to a step.
        """
        inbound, session, menu = turn.lease.inbound, turn.session, turn.context.menu
        answers = new_answers(self.pseudonyms, session, inbound)
        if answers is None:
            return None
        note = turn.note = await apply_answers(turn.context, session, answers) or turn.note
        remember_watermark(session, inbound, turn.lease.request_id)
        session.turn += 1
        return render_reply(menu, session, note)

    async def commit(self, turn: OpenTurn, reply: Reply) -> None:
        """Notify the listeners, then save session and reply and release the lease.

        A recalled session is saved already: only that could tell whether the turn counts.
        """
        self._notify_listeners(turn, reply)
        if turn.lease.opened.is_recalled or await self.save(turn, reply):
            self._record_turn(turn, reply)

    async def save(self, turn: OpenTurn, reply: Reply) -> bool:
        """Save session and reply; False when the store refuses, see `SessionStore.save`."""
        can_resume = not reply.ends_session and is_resumable(turn.context.menu, turn.session)
        is_recorded = self._is_recorded(turn)
        if is_recorded and reply.ends_session:  # what is stored of it is nothing, or its beginning
            turn.snapshot = session_snapshot(turn.session, None)
        stored = session_to_store(turn.session, reply)
        if is_recorded and not reply.ends_session:
            turn.snapshot = session_snapshot(turn.session, stored)
        return await turn.lease.save(stored, reply, can_resume=can_resume)

    def _is_recorded(self, turn: OpenTurn) -> bool:
        """Return whether the turn goes into the conversation history: nobody can look up a withheld number."""
        keep_days = turn.context.menu.config.rules.conversation_days
        return bool(self.turn_recorders and keep_days and turn.session.caller)

    def _record_turn(self, turn: OpenTurn, reply: Reply) -> None:
        if not turn.snapshot:
            return
        context, session = turn.context, turn.session
        happened_at, keep_days = context.ports.now(), context.menu.config.rules.conversation_days
        recorded = RecordedTurn(
            session.operator,
            session.caller,
            session.channel,
            turn.lease.key.session_hash,
            happened_at,
            tuple(context.recordable_answers),
            turn.note,
            turn.replacement,
            turn.snapshot,
            reply.ends_session,
            keep_days,
        )
        for record_turn in self.turn_recorders:
            record_turn(recorded)

    def _notify_listeners(self, turn: OpenTurn, reply: Reply) -> None:
        """Log a transfer and send the turn event to every listener, once per answered request."""
        _log_transfer(turn.lease.inbound, reply)
        if not self.turn_listeners:
            return
        event = _build_event(turn, reply)
        for listener in self.turn_listeners:
            listener(event)


def _build_event(turn: OpenTurn, reply: Reply) -> TurnEvent:
    context, session, key = turn.context, turn.session, turn.lease.key
    origin_screen, screen, is_first = turn.origin, reply.node, session.turn == 1
    subscriber_hash = key.subscriber_hash if session.caller else ""
    answer_result = context.answer_results[-1] if context.answer_results else "begun"
    duration_seconds = asyncio.get_running_loop().time() - turn.lease.started_at
    return TurnEvent(
        session.operator,
        session.channel,
        key.session_hash,
        subscriber_hash,
        session.revision,
        session.language,
        origin_screen,
        screen,
        answer_result,
        tuple(context.steps_run),
        session.trail,
        duration_seconds,
        reply.ends_session,
        is_first,
    )


def _log_transfer(inbound: Inbound, reply: Reply) -> None:
    """Log a call transfer with the screen it came from, for the agent who answers it."""
    if reply.transfer_to:
        fields = {"operator": inbound.operator, "node": reply.transfer_context, "language": reply.language}
        log.info("call.transferred", extra=fields)
