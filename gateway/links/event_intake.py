"""Event intake of a link: runs turns, stores messages and receipts, as webhooks do for HTTP providers."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Failure
from flows.domain.ports import Outbox
from flows.domain.records import Receipt
from flows.engine.conversation import TurnEngine
from flows.engine.inbound import Inbound
from flows.engine.turn import Turn
from gateway.http.webhooks import TURN_TIMEOUT_SECONDS
from gateway.providers.contract import ConversationEnded, OptOut, ReplySender, SingleEvent
from menus.model.reply import Channel, Reply
from storage.links.message_doubts import SqlMessageDoubts
from storage.links.sent_ids import find_sent_id

log = logging.getLogger("dialtree.links")


@dataclass(frozen=True, slots=True)
class IntakePorts:
    """What the intakes of all links share."""

    conversations: TurnEngine = field(repr=False)
    outbox: Outbox = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    doubts: SqlMessageDoubts = field(repr=False)
    now: Callable[[], datetime]
    on_receipt: Callable[[Receipt], None] = field(default=lambda receipt: None, repr=False)
    """Called with each delivery receipt, to count it."""


@dataclass(frozen=True, slots=True)
class EventIntake:
    """Implements `LinkEvents` for the links of one operator's connection to one provider."""

    ports: IntakePorts
    operator: str
    provider: str
    slot: int = 0

    async def answer(self, event: Inbound, send: ReplySender, seconds: float | None = None) -> None:
        """Run a turn and send its reply; on any error log it and send an apology. See `LinkEvents`."""
        try:
            limit = TURN_TIMEOUT_SECONDS if seconds is None else min(seconds, TURN_TIMEOUT_SECONDS)
            async with asyncio.timeout(limit):
                turn = await self._run_turn(event)
        except (Exception, TimeoutError) as error:
            # outermost handler of a turn: the caller always gets a screen, the log gets the reason
            log.error("link.turn_failed", exc_info=stack_worth_logging(error), extra=self._extra(error))
            turn = Turn(self.ports.conversations.apology_reply(self.operator, event.channel))
        try:
            await _send_reply(turn, send)
        except Exception as error:
            # the caller's next key finds the stored reply, or begins anew
            log.error("link.reply_not_sent", exc_info=stack_worth_logging(error), extra=self._extra(error))

    async def accept(self, event: SingleEvent) -> None:
        """Store a message, a receipt or an opt-out, or end a conversation. See `LinkEvents`."""
        if isinstance(event, Inbound):
            async with asyncio.timeout(TURN_TIMEOUT_SECONDS):
                await self._run_turn(event)
        if isinstance(event, ConversationEnded):
            await self._end_conversation(event)
        if isinstance(event, Receipt):
            await self.ports.outbox.record_receipt(event, self.now())
            self.ports.on_receipt(event)
        if isinstance(event, OptOut):
            ledger = self.ports.operators[self.operator].ledger
            await ledger.set_opt_out(self.operator, event.number, out=event.opted_out, now=self.now())

    async def identify_message(self, identity: bytes, era: str, *, may_repeat: bool) -> str:
        """Return the id of a message that has none. See `LinkEvents`."""
        pseudonyms = self.ports.conversations.menu_turns.pseudonyms
        fingerprint = pseudonyms.keyed_hash("delivery", self.operator, self.provider, identity.hex())
        return await self.ports.doubts.identify_message(
            self.operator, self.provider, fingerprint, era, may_repeat=may_repeat
        )

    async def find_sent_id(self, candidates: Sequence[str]) -> str | None:
        """Return the spelling of a message id a send was recorded under. See `LinkEvents`."""
        return await find_sent_id(self.ports.doubts.database, self.provider, candidates)

    def apology(self, channel: Channel = "ussd", language: str = "") -> Reply:
        """Return the reply that ends a conversation we cannot serve. See `LinkEvents`."""
        return self.ports.conversations.apology_reply(self.operator, channel, language)

    def find_recording(self, file: str) -> Path | None:
        """Return the path of a recorded prompt of the current pack. See `LinkEvents`."""
        menu = self.ports.conversations.menu_turns.menu_versions.current_menu(self.operator)
        return menu.folder / "prompts" / file if file in menu.recordings.values() else None

    def now(self) -> datetime:
        """Return the current time, UTC."""
        return self.ports.now()

    async def _run_turn(self, event: Inbound) -> Turn:
        """Run a turn and commit it: its reply is stored before it is sent."""
        async with await self.ports.conversations.run_turn(event) as turn:
            await turn.commit()
        return turn

    async def _end_conversation(self, event: ConversationEnded) -> None:
        conversations = self.ports.conversations
        key = conversations.conversation_key(
            self.operator, self.provider, event.channel, event.session_id, event.caller
        )
        await conversations.end_session(key)

    def _extra(self, error: BaseException) -> dict[str, str]:
        return {"operator": self.operator, "provider": self.provider, "failure": type(error).__name__}


def stack_worth_logging(error: BaseException) -> BaseException | None:
    """Return an error whose stack belongs into the log; None for a failure that is foreseen."""
    return None if isinstance(error, (Failure, TimeoutError)) else error


async def _send_reply(turn: Turn, send: ReplySender) -> None:
    """Send the reply of a turn; what was sent is acknowledged, so that an equal request is a new one."""
    if turn.acknowledgement is None:
        await send(turn.reply)
        return
    async with turn.acknowledgement:
        await send(turn.reply)
