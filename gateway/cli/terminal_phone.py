"""The terminal phone: USSD, calls and texts typed line by line, and dialogs played and saved."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.engine.turn_event import Turn
from gateway.cli.colours import Colours, Style
from gateway.cli.line_input import Keyboard, keyboard
from gateway.demo.faulty_billing import spoiled
from gateway.demo.faulty_sessions import FragileSessions
from gateway.dialogs.direct_line import NAME, Direct
from gateway.dialogs.format import INDENT, Dialog, DialogError, moment, read, write
from gateway.dialogs.player import Clock, Player, Post
from gateway.dialogs.sandbox import choose_language
from gateway.dialogs.secret_input import secret
from gateway.publishing import pack_compiler
from gateway.settings import OperatorSettings, Settings
from gateway.wiring.container import Given, House
from gateway.wiring.inbound import DEFAULT_TRUST
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.text.gsm import measure

VERBS = {"ussd": "dial", "voice": "call", "sms": "text"}
HINTS = {
    "dial": "(dialling {}: type an answer and Enter; Ctrl-D hangs up)",
    "call": "(calling {}: type keys and Enter, Enter alone to say nothing; Ctrl-D hangs up)",
    "text": "(texting {}: type a message and Enter; Ctrl-D leaves)",
}
"""By verb what a person at a terminal may type."""
STYLES: Mapping[str, Style] = {"~": "arrived", "?": "dim", "=": "dim"}
"""How the lines of a dialog are shown; those of the screen itself as they are."""


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree dial`."""
    parser.add_argument("address", nargs="?", default="", help="what to dial: '*100#', 411, 477")
    parser.add_argument("--operator", default="orange-ro")
    parser.add_argument(
        "--from", dest="caller", default="", metavar="MSISDN", help="the phone's number; the first person's"
    )
    parser.add_argument("--language", default="", help="the language the subscriber has chosen, e.g. en")
    parser.add_argument("--channel", choices=list(VERBS), help="dial the operator's own number on this channel")
    parser.add_argument(
        "--script",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="play dialogs, each in a world of its own; status 1 when one differs",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the conversation as a dialog")


def scene(
    args: Namespace, script: Path | None, settings: Settings, load: Callable[[Path], Menu]
) -> tuple[Settings, Given, FragileSessions | None]:
    """A script plays in a world of its own: its clock, its sessions, and nothing done before it.

    Anything else in ours. Either way only the operator that is dialled is served; DialogError when it is none.
    """
    if script is None:
        return settings.model_copy(update={"operators": _only(args.operator, settings)}), Given(), None
    dialog, clock = _read(script), Clock(datetime.now(UTC))
    operators = _only(dialog.first("operator", args.operator), settings)
    own = settings.model_copy(update={"database_url": "sqlite://", "operators": operators})
    if dialog.first("at"):
        (operator,) = operators
        clock.set(
            moment(dialog.first("at")), load(pack_compiler.located(operator, settings.packs)).form.time_zone
        )
    fragile = FragileSessions()
    return own, Given(now=clock, sessions=fragile.sessions), fragile


def _only(operator: str, settings: Settings) -> Mapping[str, OperatorSettings]:
    if operator not in settings.operators:
        raise DialogError(f"no operator {operator!r}; write one of: {', '.join(settings.operators)}")
    return {operator: settings.operators[operator]}


def _read(path: Path) -> Dialog:
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise DialogError(f"{path}: {error.strerror}") from error


async def play(args: Namespace, script: Path, house: House, sessions: FragileSessions) -> int:
    """Play a dialog; 0 when all came as it is written, 1 when something differs. `sessions` are its own."""
    dialog = _read(script)
    operator, caller = dialog.first("operator", args.operator), dialog.first("from", args.caller)
    if dialog.first("language"):
        await choose_language(house, operator, caller, dialog.first("language"))
    player = _player(house, house.conversations.shelf.current(operator), caller, dialog.trust)
    player.clock = house.hooks.now if isinstance(house.hooks.now, Clock) else None
    weather = spoiled(house.conversations.people[operator])
    player.spoil = {"billing": weather.become, "sessions": sessions.become}
    written = write(dialog, await player.play(dialog))
    print(written, end="")
    return _compared(dialog, written)


def _compared(dialog: Dialog, written: str) -> int:
    expected = [line.rstrip() for line in dialog.lines]
    differing = list(unified_diff(expected, written.splitlines(), dialog.name, "played", lineterm=""))
    if not differing:
        told = f"{dialog.name}: passes, {len(dialog.cues)} lines done and all of it came as written"
        print(Colours.of(sys.stderr, os.environ).paint(told, "arrived"), file=sys.stderr)
        return 0
    print("\n" + Colours.of(sys.stderr, os.environ).diff(differing), file=sys.stderr)
    return 1


async def talk(args: Namespace, house: House) -> int:
    """Be the phone `--from` names until the conversation or the input is over; 0, however it ended."""
    menu = house.conversations.shelf.current(args.operator)
    channel = args.channel or _channel(menu, args.address)
    address = args.address or str(getattr(menu.form.numbers, channel))
    caller = caller_of(args, menu)
    if args.language:
        await choose_language(house, args.operator, caller, args.language)
    head = [f"operator {menu.name}", f"from {caller or 'withheld'}", f"at {_local(house, menu)}"]
    head += [f"language {args.language}"] if args.language else []
    phone = Phone(_player(house, menu, caller, {}), menu, VERBS[channel], keyboard(os.environ))
    house.conversations.watchers.append(phone.stands)
    try:
        await phone.talk(address)
    finally:
        if args.save:
            args.save.write_text("\n".join([*head, *phone.written, ""]), encoding="utf-8")
    return 0


def caller_of(args: Namespace, menu: Menu) -> str:
    """The phone's number in E.164, empty for none; DialogError when something given cannot be."""
    number = menu.msisdn(args.caller) if args.caller else ""
    if number is None:
        raise DialogError(f"--from {args.caller!r} is no number; write it like {_example(menu)}")
    if args.language and args.language not in menu.tongues:
        raise DialogError(
            f"{menu.name} has no language {args.language!r}; write one of: {', '.join(menu.tongues)}"
        )
    if args.save and not args.save.absolute().parent.is_dir():
        raise DialogError(f"{args.save.parent}: no such folder")
    return number


def _example(menu: Menu) -> str:
    """A number as the operator's country has them."""
    digits = (menu.form.number_digits or [9])[0]
    return f"+{menu.form.country_code}{'7'.ljust(digits - 3, '0')}101"


class Phone:
    """What is typed, done; what comes of it, printed and kept as a dialog's lines."""

    def __init__(self, player: Player, menu: Menu, verb: str, keys: Keyboard) -> None:
        self._player, self._menu, self._verb, self._keys = player, menu, verb, keys
        self._screen = ""
        self._colours = Colours.of(sys.stdout, os.environ)
        self.written: list[str] = []

    def stands(self, turn: Turn) -> None:
        """Watch where the conversation stands."""
        self._screen = turn.screen

    async def talk(self, address: str) -> None:
        """Until the conversation ends or nothing more is typed."""
        if self._keys.history:
            print(self._colours.paint(HINTS[self._verb].format(address), "dim"))
        over = self._verb != "text" and await self._do(self._verb, address)
        while not over:
            typed = await self._keys.line()
            if typed is None:
                await self._leave()
                return
            over = await self._do(*self._meant(typed, address))

    def _meant(self, typed: str, address: str) -> tuple[str, str]:
        """The verb and what it is said with; remembered, unless it is a secret."""
        if self._verb == "text":
            verb, said = "text", f"{address} {typed}"
        else:
            verb, said = ("silence" if self._verb == "call" and not typed else ">"), typed
        if not secret(self._menu, self._screen, verb, said):
            self._keys.keep(typed)
        return verb, said

    async def _do(self, verb: str, said: str) -> bool:
        """One thing done; is the conversation over?"""
        brought = await self._player.act(verb, said)
        hidden = said.replace(self._player.code, "{code}") if self._player.code else said
        self.written += [f"{verb} {hidden}".rstrip(), *(f"{INDENT}{line}" for line in brought)]
        for line in brought:
            print(self._shown(line), flush=True)
        self._print_size(brought)
        return "= end" in brought

    async def _leave(self) -> None:
        if self._keys.history:
            print()  # Ctrl-D leaves the cursor behind the prompt
        if self._verb != "text":
            await self._player.act("hang", "up")
            self.written.append("hang up")

    def _shown(self, line: str) -> str:
        """The phone's own screen shows codes as they are."""
        mark, _, told = line.replace("{code}", self._player.code).partition(" ")
        if mark == "|":
            return told
        return self._colours.paint(_arrived(told) if mark == "~" else f"({told})", STYLES[mark])

    def _print_size(self, brought: Sequence[str]) -> None:
        """What the screen took of its room, where there is room to run out of."""
        text = "\n".join(line.removeprefix("|").removeprefix(" ") for line in brought if line[0] == "|")
        if self._verb == "call" or not text:
            return
        size = measure(text)
        budget = SURFACES["sms" if self._verb == "text" else "ussd"].budget
        most, unit = (budget.gsm7, "septets") if size.alphabet == "gsm7" else (budget.ucs2, "UCS-2 units")
        told = f"({len(text)} characters, {size.units} of {most} {unit})"
        print(self._colours.paint(told, "dim"), flush=True)


def _arrived(told: str) -> str:
    """What came to a phone or a mailbox; a second line of it stands as it is."""
    route, to, body = told.split(" ", 2) if told.count(" ") > 1 else ("", "", told)
    return f"{route} to ...{to[-5:]} {body}" if route == "sms" else told


def _player(house: House, menu: Menu, caller: str, trust: dict[str, str]) -> Player:
    token = house.conversations.people[menu.name].world.token()
    line = Direct(house.conversations, menu, DEFAULT_TRUST | trust, f"{NAME}-{token}")
    return Player(line, Post.of(house.delivery, house.recorder), menu.form.time_zone, caller=caller)


def _channel(menu: Menu, address: str) -> str:
    numbers = menu.form.numbers
    if address.startswith("*"):
        return "ussd"
    by_number = {numbers.voice: "voice", numbers.sms: "sms"}
    if address not in by_number:
        raise DialogError(
            f"{menu.name} answers '{numbers.ussd}', {numbers.voice} and {numbers.sms}; dial one of these"
        )
    return by_number[address]


def _local(house: House, menu: Menu) -> str:
    return f"{house.hooks.now().astimezone(ZoneInfo(menu.form.time_zone)):%Y-%m-%d %H:%M:%S}"
