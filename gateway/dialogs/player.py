"""Dialog player: performs a dialog's actions on a phone line and returns the result lines."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from flows.domain.records import OutboundMessage
from flows.payments.opening import RECEIPT_ALPHABET, RECEIPT_LENGTH
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.recording_sender import RecordingSender
from gateway.demo.wallet.owner_page import OwnerAction
from gateway.demo.wallet.wallet_owner import WalletOwner
from gateway.dialogs.format import (
    HEADER_FORMS,
    Dialog,
    DialogError,
    DialogStep,
    parse_duration,
    parse_local_time,
)
from menus.model.reply import Gather, Reply

REQUEST_TIME = "5 seconds"
"""How long after a conversation the request of a wallet has reached the phone."""
APPROVAL_TIME = timedelta(minutes=1)
"""What it takes to read a wallet's request and key in its code."""
_LINK_PATTERN = re.compile(r"https?://\S+#[\w-]{16,}", re.ASCII)
_RECEIPT_PATTERN = re.compile(rf"\b[{RECEIPT_ALPHABET}]{{{RECEIPT_LENGTH}}}\b", re.ASCII)
_CODE_PATTERN = re.compile(r"\b\d{6,8}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class PhoneDisplay:
    """What a phone shows or plays after one action."""

    lines: tuple[str, ...] = ()
    gather: Gather | None = None
    transfer: str = ""
    ends: bool = False
    recordings: tuple[str, ...] = ()
    """On a call, the path of each line's recording; empty for synthesised speech."""


def display_reply(reply: Reply) -> PhoneDisplay:
    """Convert a reply to a phone display; an SMS conversation never ends."""
    prompt_lines = tuple(prompt.text for prompt in reply.prompts)
    lines = prompt_lines or tuple(reply.text.split("\n") if reply.text else ())
    return PhoneDisplay(lines, reply.gather, reply.transfer_to, reply.ends_session and reply.channel != "sms")


class PhoneLine(Protocol):
    """A phone line to the gateway; at most one USSD session or call is open at a time."""

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Start a USSD session; the code may hold dialled-ahead answers."""

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        """Start a voice call."""

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        """Send an SMS."""

    async def press(self, keys: str) -> PhoneDisplay:
        """Send keys to the open conversation."""

    async def say(self, words: str) -> PhoneDisplay:
        """Speak words on the open call."""

    async def press_nothing(self) -> PhoneDisplay:
        """Press nothing until the call's input times out."""

    async def repeat_last(self) -> PhoneDisplay:
        """Repeat the last request byte for byte."""

    async def hang_up(self) -> None:
        """End the conversation as the network reports it."""


@dataclass(slots=True)
class ManualClock:
    """A clock that is moved by hand, for sandboxes and tests."""

    instant: datetime

    def __call__(self) -> datetime:
        """Return the current instant in UTC."""
        return self.instant

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward."""
        self.instant += duration

    def set_local_time(self, local: datetime, zone: str) -> None:
        """Set the clock to a local time in a time zone."""
        self.instant = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(slots=True)
class MessageCollector:
    """Collects messages that reach phones and mailboxes."""

    outbox_worker: OutboxWorker = field(repr=False)
    inbox: list[OutboundMessage] = field(default_factory=list, repr=False)

    @classmethod
    def for_worker(cls, outbox_worker: OutboxWorker, recorder: RecordingSender) -> "MessageCollector":
        """Return a collector of what an outbox worker sends to a recording sender."""
        post = cls(outbox_worker)
        recorder.listeners.append(post.inbox.append)
        return post

    async def collect_new(self) -> list[OutboundMessage]:
        """Deliver all due messages and return those that arrived since the last call."""
        while await self.outbox_worker.run_once():
            pass
        notices = list(self.inbox)
        self.inbox.clear()
        return notices


@dataclass(slots=True)
class Player:
    """Plays dialogs on a phone line; DialogError for a fault or clock that cannot be set here."""

    line: PhoneLine
    messages: MessageCollector
    time_zone: str
    clock: ManualClock | None = None
    fault_switches: Mapping[str, Callable[[str], None]] = field(default_factory=dict, repr=False)
    """Fault switches by name: `billing` takes up, slow or down, `sessions` takes up or down."""
    caller: str = field(default="", repr=False)
    last_code: str = field(default="", repr=False)
    """The last one-time code that arrived."""
    last_link: str = field(default="", repr=False)
    """The last link with a secret that was shown or arrived; results name it `{link}`."""
    wallet: WalletOwner | None = field(default=None, repr=False)
    """The wallet on the caller's phone; None where bills are not paid from one."""

    async def play(self, dialog: Dialog) -> list[tuple[str, ...]]:
        """Play a dialog and return each step's result lines, in the form of its expectations."""
        return [await self._play_step(dialog, cue) for cue in dialog.steps]

    async def _play_step(self, dialog: Dialog, step: DialogStep) -> tuple[str, ...]:
        if step.verb in HEADER_FORMS:
            return ()
        try:
            return await self.perform(step.verb, step.argument)
        except DialogError as error:
            raise DialogError(f"{dialog.name}:{step.line}: {error}") from error

    async def perform(self, verb: str, argument: str) -> tuple[str, ...]:
        """Perform one action and return its result lines; codes are replaced by `{code}`."""
        return await self.collect(
            await _ACTIONS_BY_VERB[verb](self, argument.replace("{code}", self.last_code))
        )

    async def collect(self, display: PhoneDisplay | None = None) -> tuple[str, ...]:
        """Return the result lines of a display, and of what has arrived since the last action."""
        return tuple(
            line.replace(self.last_code, "{code}") if self.last_code else line
            for line in await self._collect_lines(display)
        )

    async def _collect_lines(self, display: PhoneDisplay | None) -> list[str]:
        notices = await self.messages.collect_new()
        prompts = await self.wallet.take_new(self.caller) if self.wallet else []
        for notice in notices:
            match = _CODE_PATTERN.search(notice.body) if notice.kind == "code" else None
            self.last_code = match[0] if match else self.last_code
        self._remember_link([*(display.lines if display else ()), *(notice.body for notice in notices)])
        return [
            *_screen_lines(display or PhoneDisplay()),
            *(self._hide_receipt(line) for notice in notices for line in _message_lines(notice)),
            *(f"~ wallet {self.caller}: {prompt.text}" for prompt in prompts),
        ]

    def _remember_link(self, texts: Sequence[str]) -> None:
        links = [link for text in texts for link in _LINK_PATTERN.findall(text)]
        self.last_link = links[-1] if links else self.last_link

    def _hide_receipt(self, line: str) -> str:
        """Replace a receipt's number by `{receipt}`, where bills are paid: it differs from run to run."""
        return _RECEIPT_PATTERN.sub("{receipt}", line) if self.wallet else line

    async def _set_caller(self, number: str) -> None:
        self.caller = "" if number == "withheld" else number

    async def _set_time(self, local_time: str) -> None:
        self._require_clock().set_local_time(parse_local_time(local_time), self.time_zone)

    async def _advance_time(self, text: str) -> None:
        self._require_clock().advance(parse_duration(text))

    async def _set_fault(self, what: str, state: str) -> None:
        if what not in self.fault_switches:
            raise DialogError(f"{what} cannot be spoiled here; take the line out")
        self.fault_switches[what](state)

    async def _send_text(self, argument: str) -> PhoneDisplay:
        number, _, body = argument.partition(" ")
        return await self.line.send_text(self.caller, number, body)

    async def _answer_wallet(self, action: OwnerAction) -> None:
        """Answer the oldest request of the wallet on the caller's phone; DialogError where none waits."""
        waiting = await self.wallet.list_waiting(self.caller) if self.wallet else []
        if self.wallet is None or not waiting:
            raise DialogError("no request of a wallet waits on this phone")
        await self.wallet.answer(waiting[0].reference, action)
        if self.clock:
            self.clock.advance(APPROVAL_TIME)

    async def _set_wallet_mode(self, mode: str) -> None:
        if self.wallet is None:
            raise DialogError("there is no wallet here; write `with wallet mtn_momo` at the top")
        await self.wallet.set_mode(mode)

    def _require_clock(self) -> ManualClock:
        if self.clock is None:
            raise DialogError("the clock cannot be moved here; take the line out")
        return self.clock


_ACTIONS_BY_VERB: dict[str, Callable[[Player, str], Awaitable[PhoneDisplay | None]]] = {
    "from": Player._set_caller,
    "at": Player._set_time,
    "wait": Player._advance_time,
    "billing": lambda player, argument: player._set_fault("billing", argument),
    "sessions": lambda player, argument: player._set_fault("sessions", argument),
    "dial": lambda player, argument: player.line.dial(player.caller, argument),
    "call": lambda player, argument: player.line.call(player.caller, argument),
    "text": Player._send_text,
    ">": lambda player, argument: player.line.press(argument),
    "say": lambda player, argument: player.line.say(argument),
    "silence": lambda player, argument: player.line.press_nothing(),
    "again": lambda player, argument: player.line.repeat_last(),
    "hang": lambda player, argument: player.line.hang_up(),
    "approve": lambda player, argument: player._answer_wallet("approve"),
    "refuse": lambda player, argument: player._answer_wallet("refuse"),
    "wallet": Player._set_wallet_mode,
}


def _screen_lines(display: PhoneDisplay) -> Iterator[str]:
    yield from (f"| {_LINK_PATTERN.sub('{link}', line)}".rstrip() for line in display.lines)
    if display.gather:
        finish = f" then {display.gather.finish_key}" if display.gather.finish_key else ""
        yield f"? {display.gather.max_keys} {'key' if display.gather.max_keys == 1 else 'keys'}{finish}"
    if display.transfer:
        yield f"= put through to {display.transfer}"
    if display.ends:
        yield "= end"


def _message_lines(notice: OutboundMessage) -> Iterator[str]:
    head = f"{notice.subject}: " if notice.subject else ""
    first, *rest = _LINK_PATTERN.sub("{link}", f"{head}{notice.body}").split("\n")
    yield f"~ {notice.route} {notice.to}: {first}"
    yield from (f"~   {line}".rstrip() for line in rest)
