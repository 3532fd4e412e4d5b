"""Conversation turn: from one inbound event to the response bytes, exactly once."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flows.domain.actions import Action
from flows.domain.failures import Failure
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from flows.domain.pseudonyms import Pseudonyms
from flows.engine.answers import apply_answers
from flows.engine.flood_guard import FloodGuard, is_unrecognised
from flows.engine.inbound import Inbound
from flows.engine.load_shedding import LoadShedder
from flows.engine.menu_versions import MenuVersions
from flows.engine.opt_out import handle_opt_out
from flows.engine.replay import new_answers, remember_watermark, request_key
from flows.engine.session_restore import decode_session, owner_changed, restore_or_start, session_to_store
from flows.engine.sms_replies import find_previous_reply, record_reply
from flows.engine.step_runner import TurnContext
from flows.engine.subscriber_cache import SubscriberCache
from flows.engine.turn_event import TurnEvent, TurnListener
from menus.machine.surface import SURFACES
from menus.model.reply import Channel, Reply
from menus.model.session import Session
from menus.render.text_screen import render_reply

log = logging.getLogger("dialtree.turn")
ReplyEncoder = Callable[[Reply | None], bytes]
"""Encodes a reply as the provider's response body."""


@dataclass(frozen=True, slots=True)
class TurnEngine:
    """The turn engine of all operators: everything a turn needs."""

    menu_versions: MenuVersions
    sessions: SessionStore
    subscriber_caches: dict[str, SubscriberCache]
    actions: Mapping[str, Action]
    pseudonyms: Pseudonyms
    flood_guard: FloodGuard = field(repr=False)
    load_shedder: LoadShedder = field(default_factory=LoadShedder)
    turn_listeners: list[TurnListener] = field(default_factory=list, repr=False)
    close_listeners: list[Callable[[str], None]] = field(default_factory=list, repr=False)
    """Called with the session hash of each conversation that the network ended."""

    async def run_turn(self, inbound: Inbound, encode_reply: ReplyEncoder) -> bytes:
        """Answer one request exactly once: a duplicate gets the same bytes and changes nothing."""
        key, request_id = self._session_key(inbound), request_key(self.pseudonyms, inbound)
        opened = await self.sessions.open(key, request_id)
        if opened.reply is not None and opened.status in ("replay", "ended"):
            return opened.reply
        if opened.status in ("busy", "limited"):
            return encode_reply(self.apology_reply(inbound.operator, inbound.channel))
        try:
            return await self._answer_or_shed(inbound, encode_reply, key, request_id, opened)
        except BaseException as error:
            await asyncio.shield(self._abandon_session(key, opened, error))
            raise

    def apology_reply(self, operator: str, channel: Channel) -> Reply:
        """Return the apology that ends a session, in the pack's first language, for unknown callers."""
        menu = self.menu_versions.current_menu(operator)
        return render_reply(
            menu, Session(operator, channel, "", menu.revision, "house.sorry", menu.supported_language(""))
        )

    async def end_session(self, key: SessionKey) -> None:
        """Delete the session of a conversation that the network ended, and notify the listeners."""
        await self.sessions.delete_session(key)
        for listener in self.close_listeners:
            listener(key.session_hash)

    async def _abandon_session(self, key: SessionKey, opened: OpenedSession, error: BaseException) -> None:
        """Release the session after a failure or a cancellation; delete it after an unexpected exception.

        An unexpected exception would recur on the same session (T33), so the caller starts a new one.
        """
        expected = isinstance(error, Failure | TimeoutError) or not isinstance(error, Exception)
        await (self.sessions.release(key, opened) if expected else self.sessions.delete_session(key))

    def _session_key(self, inbound: Inbound) -> SessionKey:
        return self.pseudonyms.session_key(
            inbound.operator, inbound.provider, inbound.channel, inbound.session_id, inbound.caller
        )

    async def _answer_or_shed(
        self,
        inbound: Inbound,
        encode_reply: ReplyEncoder,
        key: SessionKey,
        request_id: str,
        opened: OpenedSession,
    ) -> bytes:
        """Refuse a new session while the load shedder is full, except SMS, which may wait."""
        may_shed = opened.status == "new" and not SURFACES[inbound.channel].is_message_based
        if may_shed and self.load_shedder.should_shed():
            await self.sessions.release(key, opened)
            return encode_reply(self.apology_reply(inbound.operator, inbound.channel))
        with self.load_shedder:
            return await self._answer_request(inbound, encode_reply, key, request_id, opened)

    async def _answer_request(
        self,
        inbound: Inbound,
        encode_reply: ReplyEncoder,
        key: SessionKey,
        request_id: str,
        opened: OpenedSession,
    ) -> bytes:
        """Run the turn, or repeat the stored reply of an SMS answered before."""
        stored_reply = await find_previous_reply(
            self.pseudonyms, self.subscriber_caches[inbound.operator], inbound
        )
        if stored_reply is not None:
            await self.sessions.release(key, opened)
            return stored_reply
        started_at = asyncio.get_running_loop().time()
        effects_key = f"{key.subscriber_hash}/{key.session_hash}/{request_id}"
        frame, session, message = await self._prepare_turn(inbound, effects_key, opened, started_at)
        answers = new_answers(self.pseudonyms, session, inbound)
        if answers is None:
            await self.sessions.release(key, opened)
            return encode_reply(render_reply(frame.menu, session))
        origin = session.state
        reply = await handle_opt_out(frame, session, inbound, (answers or [""])[0] or "")
        if reply is None:
            message = await apply_answers(frame, session, answers) or message
            remember_watermark(session, inbound, request_id)
            session.turn += 1
            reply = await self._apply_flood_guard(
                frame, session, inbound, render_reply(frame.menu, session, message)
            )
            _log_transfer(inbound, reply)
        body = encode_reply(reply)
        await record_reply(self.pseudonyms, frame.subscribers, frame.profile, inbound, reply, body)
        self._notify_listeners(frame, session, reply, key, origin, started_at)
        await self.sessions.save(key, opened, request_id, session_to_store(session, reply), body)
        return body

    async def _prepare_turn(
        self, inbound: Inbound, effects_key: str, opened: OpenedSession, started_at: float
    ) -> tuple[TurnContext, Session, str]:
        """Look up the caller and restore or start the session.

        The last value is the note to show when the stored screen no longer exists, else empty.
        """
        subscribers, stored = self.subscriber_caches[inbound.operator], decode_session(opened.session, inbound)
        profile = await subscribers.find_quickly(stored.msisdn if stored else inbound.caller)
        if stored and owner_changed(stored, profile):
            stored, profile = None, await subscribers.find_quickly(inbound.caller)
        menu, session, message = restore_or_start(self.menu_versions, inbound, stored, profile)
        frame = TurnContext(
            menu=menu,
            subscribers=subscribers,
            profile=profile,
            actions=self.actions,
            key=effects_key,
            deadline=started_at + subscribers.time_budgets.action_seconds,
            profile_number=session.msisdn,
            is_caller_trusted=inbound.trust == "line" and bool(inbound.caller),
        )
        return frame, session, message

    def _notify_listeners(
        self,
        context: TurnContext,
        session: Session,
        reply: Reply,
        key: SessionKey,
        origin: str,
        started_at: float,
    ) -> None:
        """Send the turn event to every listener."""
        if not self.turn_listeners:
            return
        turn = TurnEvent(
            operator=session.operator,
            channel=session.channel,
            conversation_hash=key.session_hash,
            subscriber_hash=key.subscriber_hash if session.caller else "",
            revision=session.revision,
            language=session.language,
            origin_screen=origin,
            screen=reply.node,
            answer_result=context.answer_results[-1] if context.answer_results else "begun",
            steps=tuple(context.steps_run),
            trail=session.trail,
            duration_seconds=asyncio.get_running_loop().time() - started_at,
            ends=reply.ends_session,
        )
        for listener in self.turn_listeners:
            listener(turn)

    async def _apply_flood_guard(
        self, context: TurnContext, session: Session, inbound: Inbound, reply: Reply
    ) -> Reply:
        """Return the reply, emptied when the flood guard suppresses it to stop a loop or a flood (T13)."""
        if not SURFACES[inbound.channel].is_message_based:
            return reply
        stranger = context.profile.subscriber is None
        unrecognised = is_unrecognised(context.menu, session, inbound.text or "")
        suppressed = await self.flood_guard.should_suppress_reply(
            inbound.operator, inbound.caller, stranger=stranger, unrecognised=unrecognised
        )
        return replace(reply, text="") if suppressed else reply


def _log_transfer(inbound: Inbound, reply: Reply) -> None:
    """Log a call transfer with the screen it came from, for the agent who answers it."""
    if reply.transfer_to:
        fields = {"operator": inbound.operator, "node": reply.transfer_context, "language": reply.language}
        log.info("call.transferred", extra=fields)
