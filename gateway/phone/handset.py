"""A browser phone: performs actions in a sandbox, streams events and records a dialog."""

import asyncio
import re
from dataclasses import asdict, dataclass, field
from zoneinfo import ZoneInfo

from flows.domain.payment_records import WALLET_PUSH
from flows.domain.records import OutboundMessage
from flows.engine.turn_event import TurnEvent
from gateway.dialogs.format import INDENT, Dialog, DialogError, format_dialog, parse_dialog
from gateway.dialogs.player import REQUEST_TIME, Player
from gateway.dialogs.sandbox import Sandbox
from gateway.dialogs.secret_input import is_secret
from gateway.phone import json_view
from gateway.phone.event_history import EventHistory
from gateway.phone.provider_line import ProviderLine
from gateway.phone.webhook_client import Exchange, NetworkFault
from storage.outbox.sql_outbox import OUTBOX_STATES

PHONE_VERBS = frozenset(
    {"dial", "call", "text", ">", "silence", "hang", "wait", "billing", "sessions"}
    | {"approve", "refuse", "wallet"}
)
NETWORK_FAULTS = frozenset({"lost", "twice"})
REQUEST_VERBS = frozenset({"dial", "call", "text", ">", "silence"})
"""Verbs that send a request, which a network may repeat."""
CHANNEL_OF_VERB = {"dial": "ussd", "call": "voice", "text": "sms"}
"""Channel of each verb that starts a conversation."""
CONVERSATION_GAP = "1 minute"
"""How far the clock moves before each further conversation; it stands during one."""
MAX_ROWS = 20
"""Rows of the outbox that are shown of each state."""
WATCH_SECONDS = 3600.0
"""Longest wait for a message to deliver; the outbox wakes it before."""


@dataclass(slots=True)
class Handset:
    """One browser phone: its sandbox, its line, the steps done and the pages that watch it."""

    sandbox: Sandbox
    line: ProviderLine
    player: Player = field(init=False)
    steps: list[tuple[str, tuple[str, ...]]] = field(default_factory=list, repr=False)
    last_turn: TurnEvent | None = None
    events: EventHistory = field(default_factory=EventHistory, repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.player = self.sandbox.create_player(self.line)
        self.line.client.on_exchange = self._on_exchange
        self.sandbox.container.conversations.turn_listeners.append(self._on_turn)
        self.sandbox.container.recorder.listeners.append(self._on_message)
        if self.player.caller == "withheld":
            self.player.caller = ""

    async def perform(self, verb: str, argument: str, network_fault: NetworkFault) -> json_view.ViewModel:
        """Perform one action and send the new state to all pages; DialogError when it is not possible."""
        line = _dialog_line(verb, " ".join(argument.split("\n")))
        async with self.lock:
            await self._advance_clock(verb)
            self._hide_secret(verb, argument)
            self._show_own_text(verb, argument)
            self.line.client.network_fault = network_fault if verb in REQUEST_VERBS else ""
            results = await self.player.perform(verb, argument)
            self._record_step(line, results, repeated=bool(network_fault) and verb in REQUEST_VERBS)
            self._show_reply(verb)
            await self._await_wallet()
            return await self.read_state()

    async def deliver_messages(self) -> None:
        """Send what is due, as a worker would between two actions; it is shown, and no step of the dialog."""
        async with self.lock:
            if await self.player.messages.collect_new():
                self.events.send("outbox", await self._read_outbox())

    async def watch_outbox(self) -> None:
        """Deliver what pages and callbacks enqueue, as soon as they do; runs until it is cancelled."""
        while True:
            await self.sandbox.container.database.wakeup.wait(WATCH_SECONDS)
            await self.deliver_messages()

    async def read_state(self) -> json_view.ViewModel:
        """Return everything the page shows."""
        wallet, scene = self.player.wallet, self.sandbox.scenario
        return {
            "at": f"{self.sandbox.clock().astimezone(ZoneInfo(self.player.time_zone)):%Y-%m-%d %H:%M}",
            "open": bool(self.line.channel) and not self.line.display.ends,
            "screen": json_view.screen_view(self.line.display, self.line.channel or "ussd"),
            "place": json_view.position_view(self.last_turn, self.sandbox.menu),
            "outbox": await self._read_outbox(),
            "billing": self.sandbox.faulty_billing.state,
            "sessions": self.sandbox.faulty_sessions.state,
            "wallet": [each.text for each in await wallet.list_waiting(self.player.caller)] if wallet else [],
            "dialog": self.dialog_text(),
            "file": self.file_name,
            "bill_page": f"{scene.public_url}/{scene.operator}/bill",
        }

    async def _read_outbox(self) -> list[json_view.ViewModel]:
        outbox = self.sandbox.container.outbox
        rows = [row for state in OUTBOX_STATES for row in await outbox.list_rows(state, MAX_ROWS)]
        return json_view.outbox_view(rows)

    @property
    def file_name(self) -> str:
        """Return the dialog's file name: the operator and its channels in order of use."""
        verbs = (line.partition(" ")[0] for line, _ in self.steps)
        channels = dict.fromkeys(CHANNEL_OF_VERB[verb] for verb in verbs if verb in CHANNEL_OF_VERB)
        return f"{'-'.join([self.sandbox.scenario.operator, *channels])}.dialog"

    def dialog_text(self) -> str:
        """Return the steps so far as a dialog that passes when played."""
        scene = self.sandbox.scenario
        header = ["# Saved from the phone", f"operator {scene.operator}", f"from {scene.caller}"]
        header += [f"language {scene.language}"] if scene.language else []
        header += [f"with wallet {scene.wallet}"] if scene.wallet else []
        lines = (*header, f"at {scene.local_time}", *(line for line, _ in self.steps))
        dialog: Dialog = parse_dialog("\n".join(lines), "phone")
        setup_count = len(dialog.steps) - len(self.steps)
        return format_dialog(dialog, [()] * setup_count + [results for _, results in self.steps])

    def _show_own_text(self, verb: str, argument: str) -> None:
        """Show a text in the thread of messages before it is answered."""
        if verb == "text":
            self.events.send("text", {"body": argument.partition(" ")[2]})

    def _show_reply(self, verb: str) -> None:
        """Show the reply to a text in the thread of messages."""
        text = "\n".join(self.line.display.lines)
        if verb in ("text", ">") and self.line.channel == "sms" and text:
            self.events.send("reply", {"body": text, "size": json_view.size_view(text, "sms")})

    async def _advance_clock(self, verb: str) -> None:
        if verb in CHANNEL_OF_VERB and self.steps:
            await self._wait(CONVERSATION_GAP)

    async def _await_wallet(self) -> None:
        """Let the time pass that a wallet's request takes to the phone, where one was asked for."""
        outbox = self.sandbox.container.outbox
        waiting = [*await outbox.list_rows("pending", MAX_ROWS), *await outbox.list_rows("again", MAX_ROWS)]
        if any(row.step == WALLET_PUSH for row in waiting):
            await self._wait(REQUEST_TIME)

    async def _wait(self, time: str) -> None:
        self._record_step(f"wait {time}", await self.player.perform("wait", time), repeated=False)

    def _record_step(self, line: str, results: tuple[str, ...], *, repeated: bool) -> None:
        """Record a step; a one-time code is written as `{code}`, because it differs each time."""
        code = self.player.last_code
        self.steps.append((line.replace(code, "{code}") if code else line, results))
        if repeated:
            self.steps.append(("again", tuple(result for result in results if result[0] != "~")))

    def _hide_secret(self, verb: str, argument: str) -> None:
        """Mask secret input, such as a password sent by SMS, in the requests shown to the page."""
        if is_secret(self.sandbox.menu, self.last_turn.screen if self.last_turn else "", verb, argument):
            secret_text = argument.partition(" ")[2] if verb == "text" else argument
            self.line.client.hidden_values |= {secret_text, secret_text.rstrip("#")}

    def _on_exchange(self, exchange: Exchange) -> None:
        self.events.send("exchange", asdict(exchange))

    def _on_turn(self, turn: TurnEvent) -> None:
        self.last_turn = turn
        self.events.send("place", json_view.position_view(turn, self.sandbox.menu))

    def _on_message(self, notice: OutboundMessage) -> None:
        if notice.kind == "code":
            self.line.client.hidden_values |= set(re.findall(r"\b\d{6,8}\b", notice.body))
        self.events.send("message", json_view.message_view(notice))


def _dialog_line(verb: str, argument: str) -> str:
    """Return the dialog line of an action; DialogError when there is no such line."""
    if verb not in PHONE_VERBS:
        raise DialogError(f"a phone cannot {verb!r}")
    line = f"{verb} {argument}".rstrip() if verb != ">" else f"> {argument}"
    if line.startswith((INDENT, "#")):
        raise DialogError("write something")
    try:
        parse_dialog(line, "phone")
    except DialogError as error:
        raise DialogError(str(error).removeprefix("phone:1: ")) from error
    return line
