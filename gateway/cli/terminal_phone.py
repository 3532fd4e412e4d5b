"""Terminal phone: dial, call and text line by line; play and save dialogs."""

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
"""Help line shown to a person at a terminal, by verb."""
STYLES: Mapping[str, Style] = {"~": "message", "?": "dim", "=": "dim"}
"""Style of a dialog's result line, by its mark; lines of the screen itself are not coloured."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments of the terminal phone."""
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
    """Return the settings, overrides and faulty sessions of a run; only the dialled operator is served.

    A script gets its own clock, sessions and empty database; an interactive run uses the given settings.
    Raises DialogError for an unknown operator.
    """
    if script is None:
        return settings.model_copy(update={"operators": _only(args.operator, settings)}), Given(), None
    dialog, clock = _read(script), Clock(datetime.now(UTC))
    operators = _only(dialog.first("operator", args.operator), settings)
    script_settings = settings.model_copy(update={"database_url": "sqlite://", "operators": operators})
    if dialog.first("at"):
        (operator,) = operators
        clock.set(
            moment(dialog.first("at")), load(pack_compiler.located(operator, settings.packs)).form.time_zone
        )
    faulty_sessions = FragileSessions()
    return script_settings, Given(now=clock, sessions=faulty_sessions.sessions), faulty_sessions


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
    """Play a dialog and print it with its results; 0 if they are as written, 1 if any differs.

    `sessions` is the switchable store of this run's container.
    """
    dialog = _read(script)
    operator, caller = dialog.first("operator", args.operator), dialog.first("from", args.caller)
    if dialog.first("language"):
        await choose_language(house, operator, caller, dialog.first("language"))
    player = _player(house, house.conversations.shelf.current(operator), caller, dialog.trust)
    player.clock = house.hooks.now if isinstance(house.hooks.now, Clock) else None
    faulty_billing = spoiled(house.conversations.people[operator])
    player.spoil = {"billing": faulty_billing.become, "sessions": sessions.become}
    played = write(dialog, await player.play(dialog))
    print(played, end="")
    return _compared(dialog, played)


def _compared(dialog: Dialog, written: str) -> int:
    expected = [line.rstrip() for line in dialog.lines]
    diff = list(unified_diff(expected, written.splitlines(), dialog.name, "played", lineterm=""))
    if not diff:
        message = f"{dialog.name}: passes, {len(dialog.cues)} lines done and all of it came as written"
        print(Colours.of(sys.stderr, os.environ).paint(message, "message"), file=sys.stderr)
        return 0
    print("\n" + Colours.of(sys.stderr, os.environ).diff(diff), file=sys.stderr)
    return 1


async def talk(args: Namespace, house: House) -> int:
    """Run an interactive conversation from `--from` until it or the input ends; always 0."""
    menu = house.conversations.shelf.current(args.operator)
    channel = args.channel or _channel(menu, args.address)
    address = args.address or str(getattr(menu.form.numbers, channel))
    caller = caller_of(args, menu)
    if args.language:
        await choose_language(house, args.operator, caller, args.language)
    header = [f"operator {menu.name}", f"from {caller or 'withheld'}", f"at {_local(house, menu)}"]
    header += [f"language {args.language}"] if args.language else []
    phone = Phone(_player(house, menu, caller, {}), menu, VERBS[channel], keyboard(os.environ))
    house.conversations.watchers.append(phone.stands)
    try:
        await phone.talk(address)
    finally:
        if args.save:
            args.save.write_text("\n".join([*header, *phone.written, ""]), encoding="utf-8")
    return 0


def caller_of(args: Namespace, menu: Menu) -> str:
    """Return the caller's number in E.164, empty for none; DialogError for an unusable option."""
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
    """Return an example number in the operator's country format."""
    digits = (menu.form.number_digits or [9])[0]
    return f"+{menu.form.country_code}{'7'.ljust(digits - 3, '0')}101"


class Phone:
    """An interactive phone: performs typed input, prints results and records both as a dialog."""

    def __init__(self, player: Player, menu: Menu, verb: str, keys: Keyboard) -> None:
        self._player, self._menu, self._verb, self._keys = player, menu, verb, keys
        self._screen = ""
        self._colours = Colours.of(sys.stdout, os.environ)
        self.written: list[str] = []

    def stands(self, turn: Turn) -> None:
        """Remember the screen the conversation is at (a turn watcher)."""
        self._screen = turn.screen

    async def talk(self, address: str) -> None:
        """Read and perform input until the conversation or the input ends."""
        if self._keys.history:
            print(self._colours.paint(HINTS[self._verb].format(address), "dim"))
        over = self._verb != "text" and await self._do(self._verb, address)
        while not over:
            line = await self._keys.line()
            if line is None:
                await self._leave()
                return
            over = await self._do(*self._meant(line, address))

    def _meant(self, typed: str, address: str) -> tuple[str, str]:
        """Return the verb and argument of a line; add it to the history unless it is a secret."""
        if self._verb == "text":
            verb, said = "text", f"{address} {typed}"
        else:
            verb, said = ("silence" if self._verb == "call" and not typed else ">"), typed
        if not secret(self._menu, self._screen, verb, said):
            self._keys.keep(typed)
        return verb, said

    async def _do(self, verb: str, said: str) -> bool:
        """Perform one action and return whether the conversation ended."""
        results = await self._player.act(verb, said)
        masked = said.replace(self._player.code, "{code}") if self._player.code else said
        self.written += [f"{verb} {masked}".rstrip(), *(f"{INDENT}{line}" for line in results)]
        for line in results:
            print(self._shown(line), flush=True)
        self._print_size(results)
        return "= end" in results

    async def _leave(self) -> None:
        if self._keys.history:
            print()  # Ctrl-D leaves the cursor after the prompt
        if self._verb != "text":
            await self._player.act("hang", "up")
            self.written.append("hang up")

    def _shown(self, line: str) -> str:
        """Return a result line as it is printed; one-time codes are shown in clear."""
        mark, _, text = line.replace("{code}", self._player.code).partition(" ")
        if mark == "|":
            return text
        return self._colours.paint(_arrived(text) if mark == "~" else f"({text})", STYLES[mark])

    def _print_size(self, brought: Sequence[str]) -> None:
        """Print how much of the channel's limit the screen used; nothing on a call."""
        text = "\n".join(line.removeprefix("|").removeprefix(" ") for line in brought if line[0] == "|")
        if self._verb == "call" or not text:
            return
        size = measure(text)
        budget = SURFACES["sms" if self._verb == "text" else "ussd"].budget
        limit, unit = (budget.gsm7, "septets") if size.alphabet == "gsm7" else (budget.ucs2, "UCS-2 units")
        summary = f"({len(text)} characters, {size.units} of {limit} {unit})"
        print(self._colours.paint(summary, "dim"), flush=True)


def _arrived(told: str) -> str:
    """Format a received message; lines after its first are unchanged."""
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
