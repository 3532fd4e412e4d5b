"""SMS turn: de-duplication, opt-out, flood guard and the reply by the outbox, around a menu turn."""

from dataclasses import dataclass, field, replace
from functools import partial

from flows.engine.flood_guard import NOTICE_TEXTS, FloodGuard, announce_silence, is_unrecognised
from flows.engine.menu_turn import MenuTurns, OpenTurn
from flows.engine.opt_out import handle_opt_out
from flows.engine.session_lease import SessionLease
from flows.engine.sms_replies import find_previous_reply, record_reply
from flows.engine.turn import Turn
from menus.model.reply import Reply


@dataclass(frozen=True, slots=True)
class SmsTurns:
    """Runs the turns of SMS conversations; USSD and voice go to `MenuTurns` directly."""

    menu_turns: MenuTurns = field(repr=False)
    flood_guard: FloodGuard = field(repr=False)

    async def run(self, lease: SessionLease) -> Turn:
        """Answer a message once: a message id seen in the last 7 days gets its stored reply."""
        ports = self.menu_turns.operators[lease.inbound.operator]
        previous = await find_previous_reply(self.menu_turns.pseudonyms, ports.ledger, lease.inbound)
        if previous is not None:
            await lease.release()
            return Turn(previous)
        turn = await self.menu_turns.restore(lease)
        reply = await self._answer(turn)
        return Turn(reply, commit=partial(self._commit, turn, reply), abandon=lease.abandon)

    async def _answer(self, turn: OpenTurn) -> Reply:
        """Return the confirmation of STOP or START, else the menu's answer, unless suppressed."""
        confirmation = await handle_opt_out(turn.context, turn.session, turn.lease.inbound)
        if confirmation is not None:
            turn.replacement = confirmation.node if confirmation.text else ""
            turn.context.recordable_answers.append((turn.lease.inbound.text or "").strip())
            return confirmation
        reply = await self.menu_turns.answer(turn)
        if reply is None:
            raise RuntimeError("an SMS always brings an answer")
        return await self._apply_flood_guard(turn, reply)

    async def _apply_flood_guard(self, turn: OpenTurn, reply: Reply) -> Reply:
        """Return the reply; of a loop or a flood (T13) one notice that announces silence, then nothing."""
        inbound, context = turn.lease.inbound, turn.context
        verdict = await self.flood_guard.judge_reply(
            inbound.operator,
            inbound.caller,
            stranger=context.profile.subscriber is None,
            unrecognised=is_unrecognised(context.menu, turn.session, inbound.text or ""),
        )
        if verdict == "answer":
            return reply
        turn.replacement = NOTICE_TEXTS.get(verdict, "")
        return replace(reply, text=announce_silence(context.menu, turn.session, verdict))

    async def _commit(self, turn: OpenTurn, reply: Reply) -> None:
        """Store the reply under its message id, then commit the menu turn."""
        await record_reply(self.menu_turns.pseudonyms, turn.context, turn.lease.inbound, reply)
        await self.menu_turns.commit(turn, reply)
