"""The terminal phone: USSD, calls and texts typed line by line, and dialogs played and saved."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.failures import Refused
from flows.records import Change, Preference
from gateway import packs
from gateway.dialog import INDENT, Dialog, DialogError, moment, read, write
from gateway.direct import NAME, Direct
from gateway.inward import DEFAULT_TRUST
from gateway.player import Clock, Player, Post
from gateway.settings import Settings
from gateway.weather import spoiled
from gateway.wiring import Chance, House
from menus.alphabet import measure
from menus.menu import Menu
from menus.surface import SURFACES

VERBS = {"ussd": "dial", "voice": "call", "sms": "text"}
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree dial`."""
    parser.add_argument("address", nargs="?", default="", help="what to dial: '*100#', 411, 477")
    parser.add_argument("--operator", default="orange-ro")
    parser.add_argument(
        "--from", dest="caller", default="", metavar="MSISDN", help="the phone's number; the first person's"
    )
    parser.add_argument("--language", default="", help="the language the subscriber has chosen, e.g. en")
    parser.add_argument("--channel", choices=list(VERBS), help="when the address does not say")
    parser.add_argument("--script", type=Path, metavar="FILE", help="play a dialog; status 1 when it differs")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the conversation as a dialog")


def scene(args: Namespace, settings: Settings) -> tuple[Settings, Chance]:
    """A script plays in a world of its own: its clock, and nothing done before it. Anything else in ours."""
    if args.script is None:
        return settings, Chance()
    clock = Clock(datetime.now(UTC))
    with suppress(DialogError):  # `run` says what is wrong with it
        dialog = _script(args.script)
        if dialog.first("at"):
            pack = packs.menu(packs.located(dialog.first("operator", args.operator), settings.packs))
            clock.set(moment(dialog.first("at")), pack.form.time_zone)
    return settings.model_copy(update={"database_url": "sqlite://"}), Chance(now=clock)


async def run(args: Namespace, house: House) -> int:
    """Be the phone `--from` names until the conversation or the input is over; 0 when all went as it should."""
    try:
        return await (_played(args, house) if args.script else _typed(args, house))
    except DialogError as error:
        print(error, file=sys.stderr)
        return 2


async def choose_language(house: House, operator: str, number: str, language: str) -> None:
    """The subscriber has chosen this language before; nothing happens for a stranger."""
    world = house.conversations.people[operator].world
    try:
        known = await world.billing.subscriber(number)
    except Refused:
        return
    key = f"dial/{number}/{language}/{world.now().isoformat()}"
    await world.ledger.commit(Change(key, operator, known.id, world.now(), preference=Preference(language)))


def _script(path: Path) -> Dialog:
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise DialogError(f"{path}: {error.strerror}") from error


async def _played(args: Namespace, house: House) -> int:
    dialog = _script(args.script)
    operator, caller = dialog.first("operator", args.operator), dialog.first("from", args.caller)
    if dialog.first("language"):
        await choose_language(house, operator, caller, dialog.first("language"))
    player = _player(house, _menu(house, operator), caller, dialog.trust)
    written = write(dialog, await player.play(dialog))
    print(written, end="")
    return _compared(dialog, written)


def _compared(dialog: Dialog, written: str) -> int:
    expected = [line.rstrip() for line in dialog.lines]
    differing = list(unified_diff(expected, written.splitlines(), dialog.name, "played", lineterm=""))
    if not differing:
        return 0
    print("\n".join(["", *differing]), file=sys.stderr)
    return 1


async def _typed(args: Namespace, house: House) -> int:
    menu = _menu(house, args.operator)
    verb = VERBS[args.channel or _channel(menu, args.address)]
    if args.language:
        await choose_language(house, args.operator, args.caller, args.language)
    phone = Phone(_player(house, menu, args.caller, {}), menu, verb)
    head = [f"operator {menu.name}", f"from {args.caller}", f"at {_local(house, menu)}"]
    head += [f"language {args.language}"] if args.language else []
    await phone.talk(args.address)
    if args.save:
        args.save.write_text("\n".join([*head, *phone.written, ""]), encoding="utf-8")
    return 0


class Phone:
    """What is typed, done; what comes of it, printed and kept as a dialog's lines."""

    def __init__(self, player: Player, menu: Menu, verb: str) -> None:
        self._player, self._menu, self._verb = player, menu, verb
        self.written: list[str] = []

    async def talk(self, address: str) -> None:
        """Until the conversation ends or nothing more is typed."""
        over = self._verb != "text" and await self._do(self._verb, address)
        while not over:
            typed = await asyncio.to_thread(sys.stdin.readline)
            if not typed:
                await self._leave()
                return
            over = await self._answer(typed.rstrip("\r\n"), address)

    async def _answer(self, typed: str, address: str) -> bool:
        if self._verb == "text":
            return await self._do("text", f"{address} {typed}")
        return await self._do("silence" if self._verb == "call" and not typed else ">", typed)

    async def _do(self, verb: str, said: str) -> bool:
        """One thing done; is the conversation over?"""
        brought = await self._player.act(verb, said)
        hidden = said.replace(self._player.code, "{code}") if self._player.code else said
        self.written += [f"{verb} {hidden}".rstrip(), *(f"{INDENT}{line}" for line in brought)]
        for line in brought:
            self._print(line)
        self._print_size(brought)
        return "= end" in brought

    async def _leave(self) -> None:
        if self._verb != "text":
            await self._player.act("hang", "up")
            self.written.append("hang up")

    def _print(self, line: str) -> None:
        """The phone's own screen shows codes as they are."""
        mark, _, told = line.replace("{code}", self._player.code).partition(" ")
        if mark == "~":
            route, to, body = told.split(" ", 2) if told.count(" ") > 1 else ("", "", told)
            print(f"{route} to ...{to[-5:]} {body}" if route == "sms" else told)
        else:
            print(told if mark == "|" else _dim(f"({told})"))
        sys.stdout.flush()

    def _print_size(self, brought: Sequence[str]) -> None:
        """What the screen took of its room, where there is room to run out of."""
        text = "\n".join(line.removeprefix("|").removeprefix(" ") for line in brought if line[0] == "|")
        if self._verb == "call" or not text:
            return
        size = measure(text)
        budget = SURFACES["sms" if self._verb == "text" else "ussd"].budget
        most, unit = (budget.gsm7, "septets") if size.alphabet == "gsm7" else (budget.ucs2, "UCS-2 units")
        print(_dim(f"({len(text)} characters, {size.units} of {most} {unit})"), flush=True)


def _player(house: House, menu: Menu, caller: str, trust: dict[str, str]) -> Player:
    token = house.conversations.people[menu.name].world.token()
    line = Direct(house.conversations, menu, DEFAULT_TRUST | trust, f"{NAME}-{token}")
    now = house.hooks.now
    post = Post.of(house.delivery, house.recorder)
    if not isinstance(now, Clock):
        return Player(line, post, menu.form.time_zone, caller=caller)
    return Player(
        line,
        post,
        menu.form.time_zone,
        now,
        spoiled(house.conversations.people[menu.name]).become,
        caller=caller,
    )


def _menu(house: House, operator: str) -> Menu:
    if operator not in house.settings.operators:
        raise DialogError(f"no operator {operator!r}; write one of: {', '.join(house.settings.operators)}")
    return house.conversations.shelf.current(operator)


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


def _dim(text: str) -> str:
    return f"{DIM}{text}{PLAIN}" if sys.stdout.isatty() else text
