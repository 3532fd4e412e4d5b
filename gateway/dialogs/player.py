"""Dialog player: performs a dialog's actions on a phone line and returns the result lines."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from flows.domain.records import Notice
from gateway.delivery.recording_sender import Recorder
from gateway.delivery.worker import Delivery
from gateway.dialogs.format import HEADER, Cue, Dialog, DialogError, duration, moment
from menus.model.reply import Gather, Reply

_LINK = re.compile(r"https?://\S+#[\w-]{16,}", re.ASCII)
_CODE = re.compile(r"\b\d{6,8}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a phone shows or plays after one action."""

    lines: tuple[str, ...] = ()
    gather: Gather | None = None
    transfer: str = ""
    ends: bool = False
    recordings: tuple[str, ...] = ()
    """On a call, the path of each line's recording; empty for synthesised speech."""


def shown(reply: Reply) -> Shown:
    """Convert a reply to a phone display; an SMS conversation never ends."""
    prompt_lines = tuple(prompt.text for prompt in reply.prompts)
    lines = prompt_lines or tuple(reply.text.split("\n") if reply.text else ())
    return Shown(lines, reply.gather, reply.transfer, reply.ends and reply.channel != "sms")


class Line(Protocol):
    """A phone line to the gateway; at most one USSD session or call is open at a time."""

    async def dial(self, caller: str, code: str) -> Shown:
        """Start a USSD session; the code may hold dialled-ahead answers."""

    async def call(self, caller: str, number: str) -> Shown:
        """Start a voice call."""

    async def text(self, caller: str, number: str, body: str) -> Shown:
        """Send an SMS."""

    async def press(self, keys: str) -> Shown:
        """Send keys to the open conversation."""

    async def say(self, words: str) -> Shown:
        """Speak words on the open call."""

    async def silence(self) -> Shown:
        """Press nothing until the call's input times out."""

    async def again(self) -> Shown:
        """Repeat the last request byte for byte."""

    async def hang_up(self) -> None:
        """End the conversation as the network reports it."""


@dataclass(slots=True)
class Clock:
    """A clock that stands still until it is moved, for sandboxes and tests."""

    instant: datetime

    def __call__(self) -> datetime:
        """Return the current instant in UTC."""
        return self.instant

    def wait(self, time: timedelta) -> None:
        """Move the clock forward."""
        self.instant += time

    def set(self, local: datetime, zone: str) -> None:
        """Set the clock to a local time in a time zone."""
        self.instant = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(slots=True)
class Post:
    """Collects messages that reach phones and mailboxes."""

    delivery: Delivery = field(repr=False)
    arrived: list[Notice] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, delivery: Delivery, recorder: Recorder) -> "Post":
        """Return a collector of what an outbox worker sends to a recording sender."""
        post = cls(delivery)
        recorder.listeners.append(post.arrived.append)
        return post

    async def collect(self) -> list[Notice]:
        """Deliver all due messages and return those that arrived since the last call."""
        while await self.delivery.once():
            pass
        notices = list(self.arrived)
        self.arrived.clear()
        return notices


@dataclass(slots=True)
class Player:
    """Plays dialogs on a phone line; DialogError for a fault or clock that cannot be set here."""

    line: Line
    post: Post
    zone: str
    clock: Clock | None = None
    spoil: Mapping[str, Callable[[str], None]] = field(default_factory=dict, repr=False)
    """Fault switches by name: `billing` takes up, slow or down, `sessions` takes up or down."""
    caller: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    """The last one-time code that arrived."""

    async def play(self, dialog: Dialog) -> list[tuple[str, ...]]:
        """Play a dialog and return each step's result lines, in the form of its expectations."""
        return [await self._played(dialog, cue) for cue in dialog.cues]

    async def _played(self, dialog: Dialog, cue: Cue) -> tuple[str, ...]:
        if cue.verb in HEADER:
            return ()
        try:
            return await self.act(cue.verb, cue.said)
        except DialogError as error:
            raise DialogError(f"{dialog.name}:{cue.line}: {error}") from error

    async def act(self, verb: str, said: str) -> tuple[str, ...]:
        """Perform one action and return its result lines; codes are replaced by `{code}`."""
        display = await _ACTIONS[verb](self, said.replace("{code}", self.code))
        return tuple(
            line.replace(self.code, "{code}") if self.code else line for line in await self._told(display)
        )

    async def _told(self, done: Shown | None) -> list[str]:
        notices = await self.post.collect()
        for notice in notices:
            match = _CODE.search(notice.body) if notice.kind == "code" else None
            self.code = match[0] if match else self.code
        return [*_screen(done or Shown()), *(line for notice in notices for line in _message(notice))]

    async def _from(self, said: str) -> None:
        self.caller = "" if said == "withheld" else said

    async def _at(self, said: str) -> None:
        self._moved().set(moment(said), self.zone)

    async def _wait(self, said: str) -> None:
        self._moved().wait(duration(said))

    async def _spoiled(self, what: str, said: str) -> None:
        if what not in self.spoil:
            raise DialogError(f"{what} cannot be spoiled here; take the line out")
        self.spoil[what](said)

    async def _text(self, said: str) -> Shown:
        number, _, body = said.partition(" ")
        return await self.line.text(self.caller, number, body)

    def _moved(self) -> Clock:
        if self.clock is None:
            raise DialogError("the clock cannot be moved here; take the line out")
        return self.clock


_ACTIONS: dict[str, Callable[[Player, str], Awaitable[Shown | None]]] = {
    "from": Player._from,
    "at": Player._at,
    "wait": Player._wait,
    "billing": lambda player, said: player._spoiled("billing", said),
    "sessions": lambda player, said: player._spoiled("sessions", said),
    "dial": lambda player, said: player.line.dial(player.caller, said),
    "call": lambda player, said: player.line.call(player.caller, said),
    "text": Player._text,
    ">": lambda player, said: player.line.press(said),
    "say": lambda player, said: player.line.say(said),
    "silence": lambda player, said: player.line.silence(),
    "again": lambda player, said: player.line.again(),
    "hang": lambda player, said: player.line.hang_up(),
}


def _screen(done: Shown) -> Iterator[str]:
    yield from (f"| {_LINK.sub('{link}', line)}".rstrip() for line in done.lines)
    if done.gather:
        finish = f" then {done.gather.finish}" if done.gather.finish else ""
        yield f"? {done.gather.most} {'key' if done.gather.most == 1 else 'keys'}{finish}"
    if done.transfer:
        yield f"= put through to {done.transfer}"
    if done.ends:
        yield "= end"


def _message(notice: Notice) -> Iterator[str]:
    head = f"{notice.subject}: " if notice.subject else ""
    first, *rest = _LINK.sub("{link}", f"{head}{notice.body}").split("\n")
    yield f"~ {notice.route} {notice.to}: {first}"
    yield from (f"~   {line}".rstrip() for line in rest)
