"""The .dialog format: parser and writer of scripted conversations in plain text.

An unindented line is an action; the lines indented under it are its expected results:

    # Activation by USSD                     a comment
    operator orange-ro
    with wallet mtn_momo                     bills can be paid from this wallet
    from +40740000101                        the caller; `from withheld` hides the number
    at 2026-03-10 09:00                      operator's local time; the clock stands until moved
    dial *100#                               or: dial *100*1*1#, call 411, text 477 FACTURA
      | Bine ati venit la Orange!            text shown or spoken, one line each
      ? 1 key                                on a call: the number of keys awaited
    say zero seven four                      a spoken answer
    > 1                                      an answer; `>` alone is an empty one
      ~ sms +40740000101: Orange: ...        a message that arrived by SMS or e-mail
      = end                                  the conversation ended

A one-time code is written `{code}` both where shown and where typed; a link with a secret is `{link}`, a
receipt's number, where there is a wallet, `{receipt}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from gateway.demo.wallet.wallet_book import WALLET_MODES
from gateway.payments.wallet_settings import WALLET_NAMES, WalletName
from menus.model.user_error import UserError

EXPECTATION_MARKS = "|~?="
INDENT = "  "
WAIT_PATTERN = r"\d+ (second|minute|hour|day)s?( \d+ (second|minute|hour|day)s?)*"
HEADER_FORMS: Mapping[str, tuple[str, str]] = {
    "operator": (r"[a-z][a-z0-9-]*", "operator orange-ro"),
    "rules": (r"[A-Z]\d+( [A-Z]\d+)*", "rules R7 R8"),
    "trust": (r"(ussd|sms|voice) (line|none)", "trust voice line"),
    "language": (r"[a-z]{2}(-[A-Z][a-z]{3})?", "language en"),
    "with": (rf"wallet ({'|'.join(WALLET_NAMES)})", "with wallet mtn_momo"),
}
"""Header lines: per first word, the pattern of the rest and an example."""
ACTION_FORMS: Mapping[str, tuple[str, str]] = {
    "from": (r"\+\d{7,15}|withheld", "from +40740000101"),
    "at": (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "at 2026-03-10 09:00"),
    "dial": (r"\*[0-9*]+#", "dial *100#"),
    "call": (r"\+?\d+", "call 411"),
    "text": (r"\+?\d+ ?.*", "text 477 FACTURA"),
    ">": (r".*", "> 1"),
    "say": (r".+", "say zero seven four"),
    "silence": (r"", "silence"),
    "again": (r"", "again"),
    "hang": (r"up", "hang up"),
    "wait": (WAIT_PATTERN, "wait 16 minutes"),
    "billing": (r"up|slow|down", "billing slow"),
    "sessions": (r"up|down", "sessions down"),
    "approve": (r"", "approve"),
    "refuse": (r"", "refuse"),
    "wallet": ("|".join(WALLET_MODES), "wallet no_funds"),
}
"""Action lines: per verb, the pattern of its argument and an example.

`again` repeats the last request byte for byte; after `sessions down` the shared session store (Redis)
does not answer. `approve` and `refuse` answer the request of a wallet on the phone, which takes a minute;
`wallet MODE` says what its next requests do.
"""
LINE_FORMS: Mapping[str, tuple[str, str]] = {**HEADER_FORMS, **ACTION_FORMS}


class DialogError(UserError):
    """A dialog cannot be read or played; one finding per line, as `file:line: what to write`."""


@dataclass(frozen=True, slots=True)
class DialogStep:
    """One action line of a dialog and its expected result lines."""

    line: int
    verb: str
    argument: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialog:
    """A parsed dialog: its steps, and its lines for writing it again."""

    name: str
    lines: tuple[str, ...]
    steps: tuple[DialogStep, ...]

    def arguments_of(self, verb: str) -> list[str]:
        """Return the arguments of all lines with this verb, in order."""
        return [cue.argument for cue in self.steps if cue.verb == verb]

    def first_argument(self, verb: str, default: str = "") -> str:
        """Return the argument of the first line with this verb, or the default."""
        return next(iter(self.arguments_of(verb)), default)

    @property
    def trust(self) -> dict[str, str]:
        """Return what the connection proves of a caller, by channel, where the dialog says so."""
        return dict(re.findall(r"(\w+) (\w+)", " ".join(self.arguments_of("trust"))))

    @property
    def wallet(self) -> WalletName | None:
        """Return the wallet that the dialog's operator takes payments from."""
        named = self.first_argument("with").removeprefix("wallet ")
        return next((name for name in WALLET_NAMES if name == named), None)


def parse_dialog(text: str, name: str) -> Dialog:
    """Parse a dialog; DialogError names every line that is not understood."""
    lines = tuple(text.splitlines())
    faults = [f"{name}:{number}: {what}" for number, what in _line_faults(lines)]
    if faults:
        raise DialogError("\n".join(faults))
    return Dialog(name, lines, tuple(_parse_steps(lines)))


def format_dialog(dialog: Dialog, results: Sequence[tuple[str, ...]]) -> str:
    """Return the dialog's text with the actual results in place of the expected ones.

    `results` holds the result lines of each step, in order.
    """
    results_by_line = {cue.line: lines for cue, lines in zip(dialog.steps, results, strict=True)}
    output: list[str] = []
    for number, line in enumerate(dialog.lines, 1):
        if not _is_expectation(line):
            output += [
                line.rstrip(),
                *(f"{INDENT}{result}".rstrip() for result in results_by_line.get(number, ())),
            ]
    return "\n".join(output) + "\n"


def parse_local_time(text: str) -> datetime:
    """Return the local time of an `at` line, without a time zone."""
    return datetime.fromisoformat(text)


def parse_duration(text: str) -> timedelta:
    """Return the duration of a `wait` line."""
    parts = {f"{unit}s": int(count) for count, unit in re.findall(r"(\d+) (second|minute|hour|day)", text)}
    return timedelta(**parts)


def _parse_steps(lines: Sequence[str]) -> Iterator[DialogStep]:
    for number, line in enumerate(lines, 1):
        if _is_action(line):
            verb, argument = _split_verb(line)
            yield DialogStep(number, verb, argument, tuple(_expected_lines(lines[number:])))


def _expected_lines(following_lines: Sequence[str]) -> Iterator[str]:
    for line in following_lines:
        if _is_action(line):
            return
        if _is_expectation(line):
            yield line.strip()


def _is_action(line: str) -> bool:
    return bool(line.strip()) and line[0] not in " \t#"


def _is_expectation(line: str) -> bool:
    return line[:1] in (" ", "\t") and bool(line.strip())


def _split_verb(line: str) -> tuple[str, str]:
    """Split a line into verb and argument; after `>` inner and trailing spaces are kept."""
    if line.startswith(">"):
        return ">", line[1:].removeprefix(" ")
    verb, _, argument = line.partition(" ")
    return verb.rstrip(), argument if verb == "text" else argument.strip()


def _line_faults(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    has_action = False
    for number, line in enumerate(lines, 1):
        fault = _line_fault(line, has_action=has_action)
        if fault:
            yield number, fault
        has_action = has_action or _is_action(line)


def _line_fault(line: str, *, has_action: bool) -> str:
    if _is_expectation(line):
        return _expectation_fault(line.strip(), has_action=has_action)
    return _action_fault(*_split_verb(line)) if _is_action(line) else ""


def _expectation_fault(expectation: str, *, has_action: bool) -> str:
    if expectation[0] not in EXPECTATION_MARKS:
        return f"an indented line is what must come; begin it with one of: {' '.join(EXPECTATION_MARKS)}"
    return "" if has_action else "nothing has been done yet; write `dial *100#` (or call, text) above it"


def _action_fault(verb: str, argument: str) -> str:
    if verb not in LINE_FORMS:
        close = get_close_matches(verb, LINE_FORMS, 1)
        hint = (
            f"did you mean `{LINE_FORMS[close[0]][1]}`?" if close else f"write one of: {', '.join(LINE_FORMS)}"
        )
        return f"{verb!r} is not known; {hint}"
    form, example = LINE_FORMS[verb]
    return "" if re.fullmatch(form, argument) else f"`{verb}` has the wrong form; write it like `{example}`"
