"""A browser phone: performs actions in a sandbox, streams events and records a dialog."""

import asyncio
import re
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from flows.domain.records import Notice
from flows.engine.turn_event import Turn
from gateway.dialogs.format import INDENT, Dialog, DialogError, read, write
from gateway.dialogs.player import Player
from gateway.dialogs.sandbox import Stage
from gateway.dialogs.secret_input import secret
from gateway.phone import json_view
from gateway.phone.provider_line import Air
from gateway.phone.webhook_client import Exchange, Trick
from storage.outbox.store import STATES

VERBS = frozenset({"dial", "call", "text", ">", "silence", "hang", "wait", "billing", "sessions"})
TRICKS = frozenset({"lost", "twice"})
SPEAKING = frozenset({"dial", "call", "text", ">", "silence"})
"""Verbs that send a request, which a network may repeat."""
BEGUN = {"dial": "ussd", "call": "voice", "text": "sms"}
"""Channel of each verb that starts a conversation."""
BETWEEN = "1 minute"
"""How far the clock moves before each further conversation; it stands during one."""
MOST_WAITING = 200
"""Events queued for a page that reads slowly; the oldest are dropped."""
Event = tuple[str, Any]


@dataclass(slots=True)
class Handset:
    """One browser phone: its sandbox, its line, the steps done and the pages that watch it."""

    stage: Stage
    air: Air
    player: Player = field(init=False)
    cues: list[tuple[str, tuple[str, ...]]] = field(default_factory=list, repr=False)
    turn: Turn | None = None
    watching: set[asyncio.Queue[Event]] = field(default_factory=set, repr=False)
    acting: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.player = self.stage.player(self.air)
        self.air.wire.tell = self._exchanged
        self.stage.house.conversations.watchers.append(self._turned)
        self.stage.house.recorder.listeners.append(self._arrived)
        if self.player.caller == "withheld":
            self.player.caller = ""

    async def act(self, verb: str, said: str, trick: Trick) -> json_view.View:
        """Perform one action and send the new state to all pages; DialogError when it is not possible."""
        line = _line(verb, " ".join(said.split("\n")))
        async with self.acting:
            await self._moved_on(verb)
            self._hide(verb, said)
            self.air.wire.trick = trick if verb in SPEAKING else ""
            results = await self.player.act(verb, said)
            self._note(line, results, repeated=bool(trick) and verb in SPEAKING)
            state = await self.state()
        self.tell("state", state)
        return state

    async def state(self) -> json_view.View:
        """Return everything the page shows."""
        outbox = self.stage.house.outbox
        rows = [row for state in STATES for row in await outbox.list_rows(state, 20)]
        return {
            "at": f"{self.stage.clock().astimezone(ZoneInfo(self.player.zone)):%Y-%m-%d %H:%M}",
            "open": bool(self.air.channel) and not self.air.shown.ends,
            "screen": json_view.screen(self.air.shown, self.air.channel or "ussd"),
            "place": json_view.place(self.turn, self.stage.menu),
            "outbox": json_view.parcels(rows),
            "billing": self.stage.weather.state,
            "sessions": self.stage.sessions.state,
            "dialog": self.dialog(),
            "file": self.file,
        }

    @property
    def file(self) -> str:
        """Return the dialog's file name: the operator and its channels in order of use."""
        verbs = (line.partition(" ")[0] for line, _ in self.cues)
        channels = dict.fromkeys(BEGUN[verb] for verb in verbs if verb in BEGUN)
        return f"{'-'.join([self.stage.scene.operator, *channels])}.dialog"

    def dialog(self) -> str:
        """Return the steps so far as a dialog that passes when played."""
        scene = self.stage.scene
        header = ["# Saved from the phone", f"operator {scene.operator}", f"from {scene.caller}"]
        header += [f"language {scene.language}"] if scene.language else []
        lines = (*header, f"at {scene.at}", *(line for line, _ in self.cues))
        dialog: Dialog = read("\n".join(lines), "phone")
        setup_count = len(dialog.cues) - len(self.cues)
        return write(dialog, [()] * setup_count + [results for _, results in self.cues])

    def tell(self, kind: str, what: Any) -> None:
        """Send an event to every page; a page whose queue is full loses its oldest event."""
        for queue in self.watching:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait((kind, what))

    def watch(self) -> "asyncio.Queue[Event]":
        """Return a new event queue; give it back with `event_queues.discard`."""
        queue: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self.watching.add(queue)
        return queue

    async def _moved_on(self, verb: str) -> None:
        if verb in BEGUN and self.cues:
            self._note(f"wait {BETWEEN}", await self.player.act("wait", BETWEEN), repeated=False)

    def _note(self, line: str, brought: tuple[str, ...], *, repeated: bool) -> None:
        """Record a step; a one-time code is written as `{code}`, because it differs each time."""
        code = self.player.code
        self.cues.append((line.replace(code, "{code}") if code else line, brought))
        if repeated:
            self.cues.append(("again", tuple(result for result in brought if result[0] != "~")))

    def _hide(self, verb: str, said: str) -> None:
        """Mask secret input, such as a password sent by SMS, in the requests shown to the page."""
        if secret(self.stage.menu, self.turn.screen if self.turn else "", verb, said):
            secret_text = said.partition(" ")[2] if verb == "text" else said
            self.air.wire.secrets |= {secret_text, secret_text.rstrip("#")}

    def _exchanged(self, exchange: Exchange) -> None:
        self.tell("exchange", asdict(exchange))

    def _turned(self, turn: Turn) -> None:
        self.turn = turn
        self.tell("place", json_view.place(turn, self.stage.menu))

    def _arrived(self, notice: Notice) -> None:
        if notice.kind == "code":
            self.air.wire.secrets |= set(re.findall(r"\b\d{6,8}\b", notice.body))
        self.tell("message", json_view.message(notice))


def _line(verb: str, said: str) -> str:
    """Return the dialog line of an action; DialogError when there is no such line."""
    if verb not in VERBS:
        raise DialogError(f"a phone cannot {verb!r}")
    line = f"{verb} {said}".rstrip() if verb != ">" else f"> {said}"
    if line.startswith((INDENT, "#")):
        raise DialogError("write something")
    try:
        read(line, "phone")
    except DialogError as error:
        raise DialogError(str(error).removeprefix("phone:1: ")) from error
    return line
