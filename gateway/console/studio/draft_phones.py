"""Draft phones: for each user a demo gateway in memory that serves their draft to demo people."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.console.studio.pack_view import PackView
from gateway.demo.startup import operator_dataset
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.dialogs.sandbox import Sandbox, SandboxFactory, Scenario
from menus.machine.menu import Menu
from menus.model.reply import Channel
from storage.demo.world import demo_people

MAX_PHONES = 4
"""Phones open in one process, a few megabytes each; the one opened first is closed first."""
MAX_STEPS = 60
"""Steps shown; a longer conversation is begun anew."""
MAX_ANSWER_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class PhoneStep:
    """One action of the phone: what was done, what the screen showed or the call said, what arrived."""

    action: str
    display: PhoneDisplay
    messages: Sequence[str]
    """SMS and e-mails that arrived, each with its address."""


@dataclass(slots=True)
class DraftPhone:
    """A phone of one demo person on one state of a draft."""

    digest: str
    """Hash of the draft's files it serves."""
    caller: str
    sandbox: Sandbox = field(repr=False)
    line: DirectLine = field(repr=False)
    stack: AsyncExitStack = field(repr=False)
    channel: Channel = "ussd"
    steps: list[PhoneStep] = field(default_factory=list, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether a USSD session or call waits for keys."""
        return bool(self.steps) and self.channel != "sms" and not self.steps[-1].display.ends

    async def perform(self, verb: str, answer: str) -> None:
        """Perform one action; DialogError for one that is not possible now."""
        action = _ACTIONS.get(verb)
        if action is None or len(self.steps) >= MAX_STEPS or (verb in _ANSWERS and not self.is_open):
            raise DialogError("not possible now")
        display = await action(self, answer[:MAX_ANSWER_CHARACTERS])
        arrived = await self.sandbox.messages.collect_new()
        messages = [f"{each.route} {each.to}: {each.body}" for each in arrived]
        self.steps.append(PhoneStep(f"{verb} {answer}".strip(), display, messages))

    async def _dial(self, answer: str) -> PhoneDisplay:
        self.channel = "ussd"
        return await self.line.dial(self.caller, self.sandbox.menu.config.numbers.ussd)

    async def _call(self, answer: str) -> PhoneDisplay:
        self.channel = "voice"
        return await self.line.call(self.caller, self.sandbox.menu.config.numbers.voice)

    async def _text(self, answer: str) -> PhoneDisplay:
        self.channel = "sms"
        return await self.line.send_text(self.caller, self.sandbox.menu.config.numbers.sms, answer)

    async def _hang_up(self, answer: str) -> PhoneDisplay:
        await self.line.hang_up()
        return PhoneDisplay(ends=True)


_ACTIONS: Mapping[str, Callable[[DraftPhone, str], Awaitable[PhoneDisplay]]] = {
    "dial": DraftPhone._dial,
    "call": DraftPhone._call,
    "text": DraftPhone._text,
    "press": lambda phone, answer: phone.line.press(answer),
    "silence": lambda phone, answer: phone.line.press_nothing(),
    "hang_up": DraftPhone._hang_up,
}
_ANSWERS = ("press", "silence", "hang_up")


@dataclass(slots=True)
class DraftPhones:
    """The phones of one console process; each user has one for each operator."""

    clock: Callable[[], datetime] = field(repr=False)
    max_phones: int = MAX_PHONES
    phones: dict[tuple[str, str], DraftPhone] = field(default_factory=dict, repr=False)
    """By user name and operator."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def find_phone(self, user: str, operator: str) -> DraftPhone | None:
        """Return the user's phone of an operator."""
        return self.phones.get((user, operator))

    async def open_phone(self, user: str, view: PackView, menu: Menu, folder: Path, caller: str) -> DraftPhone:
        """Open a new phone of a demo person; DialogError for a number that is nobody's there.

        `folder` is the installed pack's, which has the recordings.
        """
        menu = replace(menu, folder=folder)
        if caller not in [person["number"] for person in people_of(menu)]:
            raise DialogError("choose one of the demo's people")
        async with self.lock:
            await self._close((user, view.operator))
            while len(self.phones) >= self.max_phones:
                await self._close(next(iter(self.phones)))
            phone = await self._start_phone(view, menu, caller)
            self.phones[user, view.operator] = phone
            return phone

    async def close_all(self) -> None:
        """Close all phones."""
        for key in list(self.phones):
            await self._close(key)

    async def _close(self, key: tuple[str, str]) -> None:
        if phone := self.phones.pop(key, None):
            await phone.stack.aclose()

    async def _start_phone(self, view: PackView, menu: Menu, caller: str) -> DraftPhone:
        stack = AsyncExitStack()
        zone = ZoneInfo(menu.config.time_zone)
        async with stack:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="dialtree-draft-"))
            scenario = Scenario(view.operator, f"{self.clock().astimezone(zone):%Y-%m-%d %H:%M}", caller)
            sandboxes = SandboxFactory(Path(place), lambda _folder: menu)
            sandbox = await stack.enter_async_context(sandboxes.open(scenario))
            line = sandbox.create_direct_line()
            return DraftPhone(view.files.digest, caller, sandbox, line, stack.pop_all())


def people_of(menu: Menu) -> Sequence[Mapping[str, str]]:
    """Return the people of the demo who may call: number, name, language and what they know."""
    return demo_people(operator_dataset(menu))
