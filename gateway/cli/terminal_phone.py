"""Terminal phone: dial, call and text line by line; play and save dialogs."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.engine.turn_event import TurnEvent
from gateway.cli.line_input import TerminalInput, open_input
from gateway.cli.styled_output import LineStyle, StyledOutput
from gateway.cli.terminal_wallet import TerminalWallet
from gateway.demo.faulty_billing import inject_faults
from gateway.demo.faulty_sessions import FaultySessions
from gateway.demo.wallet.wallet_server import find_owner
from gateway.dialogs.direct_line import PROVIDER_NAME, DirectLine
from gateway.dialogs.format import INDENT, Dialog, DialogError, format_dialog, parse_dialog, parse_local_time
from gateway.dialogs.player import REQUEST_TIME, ManualClock, MessageCollector, Player
from gateway.dialogs.sandbox import preset_language
from gateway.dialogs.secret_input import is_secret
from gateway.publishing import pack_compiler
from gateway.settings import OperatorSettings, Settings
from gateway.wiring.connections import DEFAULT_TRUST
from gateway.wiring.container import Container
from gateway.wiring.operators import Overrides
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.text.gsm import measure_text

VERB_OF_CHANNEL = {"ussd": "dial", "voice": "call", "sms": "text"}
VERB_HINTS = {
    "dial": "(dialling {}: type an answer and Enter; Ctrl-D hangs up)",
    "call": "(calling {}: type keys and Enter, Enter alone to say nothing; Ctrl-D hangs up)",
    "text": "(texting {}: type a message and Enter; Ctrl-D leaves)",
}
"""Help line shown to a person at a terminal, by verb."""
WALLET_HINT = "(type approve or refuse: it is what the wallet's owner keys in)"
MARK_STYLES: Mapping[str, LineStyle] = {"~": "message", "?": "dim", "=": "dim"}
"""Style of a dialog's result line, by its mark; lines of the screen itself are not coloured."""


def prepare_run(
    args: Namespace, script: Path | None, settings: Settings, load: Callable[[Path], Menu]
) -> tuple[Settings, Overrides, FaultySessions | None]:
    """Return the settings, overrides and faulty sessions of a run; only the dialled operator is served.

    A script gets its own clock, sessions and empty database; an interactive run uses the given settings.
    Raises DialogError for an unknown operator.
    """
    if script is None:
        return (
            settings.model_copy(update={"operators": _select_operator(args.operator, settings)}),
            Overrides(),
            None,
        )
    dialog, clock = read_dialog(script), ManualClock(datetime.now(UTC))
    operators = _select_operator(dialog.first_argument("operator", args.operator), settings)
    script_settings = settings.model_copy(update={"database_url": "sqlite://", "operators": operators})
    if dialog.first_argument("at"):
        (operator,) = operators
        clock.set_local_time(
            parse_local_time(dialog.first_argument("at")),
            load(pack_compiler.find_pack(operator, settings.packs)).config.time_zone,
        )
    faulty_sessions = FaultySessions(lambda: clock().timestamp())
    return script_settings, Overrides(now=clock, sessions=faulty_sessions.sessions), faulty_sessions


def _select_operator(operator: str, settings: Settings) -> Mapping[str, OperatorSettings]:
    if operator not in settings.operators:
        raise DialogError(f"no operator {operator!r}; write one of: {', '.join(settings.operators)}")
    return {operator: settings.operators[operator]}


def read_dialog(path: Path) -> Dialog:
    """Read a dialog; DialogError when it cannot be read."""
    try:
        return parse_dialog(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise DialogError(f"{path}: {error.strerror}") from error


async def play_script(args: Namespace, script: Path, container: Container, sessions: FaultySessions) -> int:
    """Play a dialog and print it with its results; 0 if they are as written, 1 if any differs.

    `sessions` is the switchable store of this run's container.
    """
    dialog = read_dialog(script)
    operator, caller = (
        dialog.first_argument("operator", args.operator),
        dialog.first_argument("from", args.caller),
    )
    if dialog.first_argument("language"):
        await preset_language(container, operator, caller, dialog.first_argument("language"))
    player = _build_player(container, container.menu_versions.current_menu(operator), caller, dialog.trust)
    player.clock = container.clock if isinstance(container.clock, ManualClock) else None
    faulty_billing = inject_faults(container.operators[operator])
    player.fault_switches = {"billing": faulty_billing.set_state, "sessions": sessions.set_state}
    played = format_dialog(dialog, await player.play(dialog))
    print(played, end="")
    return _report_differences(dialog, played)


def _report_differences(dialog: Dialog, played: str) -> int:
    expected = [line.rstrip() for line in dialog.lines]
    diff = list(unified_diff(expected, played.splitlines(), dialog.name, "played", lineterm=""))
    report = StyledOutput.for_stream(sys.stderr, os.environ)
    if not diff:
        message = f"{dialog.name}: passes, {len(dialog.steps)} lines done and all of it came as written"
        report.print_line(message, "message")
        return 0
    report.print_diff(["", *diff])
    return 1


async def run_interactive(args: Namespace, container: Container) -> int:
    """Run an interactive conversation from `--from` until it or the input ends; always 0."""
    menu = container.menu_versions.current_menu(args.operator)
    channel = args.channel or _channel_of(menu, args.address)
    address = args.address or str(getattr(menu.config.numbers, channel))
    caller = parse_caller(args, menu)
    if args.language:
        await preset_language(container, args.operator, caller, args.language)
    header = [f"operator {menu.name}", f"from {caller or 'withheld'}", f"at {_local_time(container, menu)}"]
    header += [f"language {args.language}"] if args.language else []
    section = container.settings.operators[menu.name].wallet
    header += [f"with wallet {section.provider}"] if section else []
    wallet = TerminalWallet(
        _build_player(container, menu, caller, {}), menu.name, container.operators[menu.name]
    )
    phone = TerminalPhone(wallet, menu, VERB_OF_CHANNEL[channel], open_input(os.environ))
    container.conversations.turn_listeners.append(phone.on_turn)
    try:
        await phone.converse(address)
    finally:
        if args.save:
            args.save.write_text("\n".join([*header, *phone.dialog_lines, ""]), encoding="utf-8")
    return 0


def parse_caller(args: Namespace, menu: Menu) -> str:
    """Return the caller's number in E.164, empty for none; DialogError for an unusable option."""
    number = menu.parse_msisdn(args.caller) if args.caller else ""
    if number is None:
        raise DialogError(f"--from {args.caller!r} is no number; write it like {_example_number(menu)}")
    if args.language and args.language not in menu.language_packs:
        raise DialogError(
            f"{menu.name} has no language {args.language!r}; write one of: {', '.join(menu.language_packs)}"
        )
    if args.save and not args.save.absolute().parent.is_dir():
        raise DialogError(f"{args.save.parent}: no such folder")
    return number


def _example_number(menu: Menu) -> str:
    """Return an example number in the operator's country format."""
    digits = (menu.config.number_digits or [9])[0]
    return f"+{menu.config.country_code}{'7'.ljust(digits - 3, '0')}101"


class TerminalPhone:
    """An interactive phone: performs typed input, prints results and records both as a dialog."""

    def __init__(self, wallet: TerminalWallet, menu: Menu, verb: str, keys: TerminalInput) -> None:
        self._player, self._wallet = wallet.player, wallet
        self._menu, self._verb, self._input = menu, verb, keys
        self._screen = ""
        self._display = StyledOutput.for_stream(sys.stdout, os.environ)
        self.dialog_lines: list[str] = []

    def on_turn(self, turn: TurnEvent) -> None:
        """Remember the screen the conversation is at (a turn watcher)."""
        self._screen = turn.screen

    async def converse(self, address: str) -> None:
        """Read and perform input until the conversation or the input ends."""
        if self._input.is_terminal:
            self._display.print_line(VERB_HINTS[self._verb].format(address), "dim")
        over = self._verb != "text" and await self._perform(self._verb, address)
        while not over:
            line = await self._input.read_line()
            if line is None:
                await self._hang_up()
                return
            over = await self._perform(*self._parse_input(line, address))
            await self._follow_wallet()

    async def _follow_wallet(self) -> None:
        """Where a wallet was asked: show its request on the phone, take the answer, show what comes of it."""
        payment = await self._wallet.take_payment()
        if payment is None:
            return
        self.dialog_lines.append(f"wait {REQUEST_TIME}")
        async for lines in self._wallet.wait_for_request():
            self._show_results(lines)
        self._display.print_line(WALLET_HINT, "dim")
        answer = await self._input.read_line()
        if answer in ("approve", "refuse"):
            await self._perform(answer, "")
            async for lines in self._wallet.wait_for_result(payment):
                self._show_results(lines)
            self._display.print_line(f"(the payment is {await self._wallet.read_state(payment)})", "dim")

    def _parse_input(self, line: str, address: str) -> tuple[str, str]:
        """Return the verb and argument of a line; add it to the history unless it is a secret."""
        if self._verb == "text":
            verb, argument = "text", f"{address} {line}"
        else:
            verb, argument = ("silence" if self._verb == "call" and not line else ">"), line
        if not is_secret(self._menu, self._screen, verb, argument):
            self._input.remember(line)
        return verb, argument

    async def _perform(self, verb: str, argument: str) -> bool:
        """Perform one action and return whether the conversation ended."""
        results = await self._player.perform(verb, argument)
        masked = argument.replace(self._player.last_code, "{code}") if self._player.last_code else argument
        self.dialog_lines.append(f"{verb} {masked}".rstrip())
        self._show_results(results)
        return "= end" in results

    def _show_results(self, results: Sequence[str]) -> None:
        """Print result lines and record them under the last action."""
        self.dialog_lines += [f"{INDENT}{line}" for line in results]
        for line in results:
            self._print_result(line)
        self._print_size(results)

    async def _hang_up(self) -> None:
        if self._verb != "text":
            await self._player.perform("hang", "up")
            self.dialog_lines.append("hang up")

    def _print_result(self, line: str) -> None:
        """Print a result line; one-time codes and links are shown in clear."""
        shown = line.replace("{code}", self._player.last_code).replace("{link}", self._player.last_link)
        mark, _, text = shown.partition(" ")
        if mark != "|":
            text = _format_message(text) if mark == "~" else f"({text})"
        self._display.print_line(text, MARK_STYLES.get(mark))

    def _print_size(self, results: Sequence[str]) -> None:
        """Print how much of the channel's limit the screen used; nothing on a call."""
        text = "\n".join(line.removeprefix("|").removeprefix(" ") for line in results if line[0] == "|")
        if self._verb == "call" or not text:
            return
        size = measure_text(text)
        budget = SURFACES["sms" if self._verb == "text" else "ussd"].budget
        limit, unit = (budget.gsm7, "septets") if size.alphabet == "gsm7" else (budget.ucs2, "UCS-2 units")
        summary = f"({len(text)} characters, {size.units} of {limit} {unit})"
        self._display.print_line(summary, "dim")


def _format_message(text: str) -> str:
    """Format a received message; lines after its first are unchanged."""
    route, to, body = text.split(" ", 2) if text.count(" ") > 1 else ("", "", text)
    return f"{route} to ...{to[-5:]} {body}" if route in ("sms", "wallet") else text


def _build_player(container: Container, menu: Menu, caller: str, trust: dict[str, str]) -> Player:
    token = container.operators[menu.name].random_token()
    line = DirectLine(container.conversations, menu, DEFAULT_TRUST | trust, f"{PROVIDER_NAME}-{token}")
    return Player(
        line,
        MessageCollector.for_worker(container.outbox_worker, container.recorder),
        menu.config.time_zone,
        caller=caller,
        wallet=find_owner(container.settings.operators[menu.name].wallet),
    )


def _channel_of(menu: Menu, address: str) -> str:
    numbers = menu.config.numbers
    if address.startswith("*"):
        return "ussd"
    by_number = {numbers.voice: "voice", numbers.sms: "sms"}
    if address not in by_number:
        raise DialogError(
            f"{menu.name} answers '{numbers.ussd}', {numbers.voice} and {numbers.sms}; dial one of these"
        )
    return by_number[address]


def _local_time(container: Container, menu: Menu) -> str:
    return f"{container.clock().astimezone(ZoneInfo(menu.config.time_zone)):%Y-%m-%d %H:%M:%S}"
