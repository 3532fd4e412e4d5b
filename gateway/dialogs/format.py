"""The .dialog format: parser and writer of scripted conversations in plain text.

An unindented line is an action; the lines indented under it are its expected results:

    # Activation by USSD                     a comment
    operator orange-ro
    from +40740000101                        the caller; `from withheld` hides the number
    at 2026-03-10 09:00                      operator's local time; the clock stands until moved
    dial *100#                               or: dial *100*1*1#, call 411, text 477 FACTURA
      | Bine ati venit la Orange!            text shown or spoken, one line each
      ? 1 key                                on a call: the number of keys awaited
    say zero seven four                      a spoken answer
    > 1                                      an answer; `>` alone is an empty one
      ~ sms +40740000101: Orange: ...        a message that arrived by SMS or e-mail
      = end                                  the conversation ended

A one-time code is written `{code}` both where shown and where typed; a link with a secret is `{link}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from menus.model.errors import Unusable

MARKS = "|~?="
INDENT = "  "
WAIT = r"\d+ (second|minute|hour|day)s?( \d+ (second|minute|hour|day)s?)*"
HEADER: Mapping[str, tuple[str, str]] = {
    "operator": (r"[a-z][a-z0-9-]*", "operator orange-ro"),
    "rules": (r"[A-Z]\d+( [A-Z]\d+)*", "rules R7 R8"),
    "trust": (r"(ussd|sms|voice) (line|none)", "trust voice line"),
    "language": (r"[a-z]{2}(-[A-Z][a-z]{3})?", "language en"),
}
"""Header lines: per first word, the pattern of the rest and an example."""
ACTIONS: Mapping[str, tuple[str, str]] = {
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
    "wait": (WAIT, "wait 16 minutes"),
    "billing": (r"up|slow|down", "billing slow"),
    "sessions": (r"up|down", "sessions down"),
}
"""Action lines: per verb, the pattern of its argument and an example.

`again` repeats the last request byte for byte; after `sessions down` the shared session store (Redis)
does not answer.
"""
VERBS: Mapping[str, tuple[str, str]] = {**HEADER, **ACTIONS}


class DialogError(Unusable):
    """A dialog cannot be read or played; one finding per line, as `file:line: what to write`."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One action line of a dialog and its expected result lines."""

    line: int
    verb: str
    said: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialog:
    """A parsed dialog: its steps, and its lines for writing it again."""

    name: str
    lines: tuple[str, ...]
    cues: tuple[Cue, ...]

    def said(self, verb: str) -> list[str]:
        """Return the arguments of all lines with this verb, in order."""
        return [cue.said for cue in self.cues if cue.verb == verb]

    def first(self, verb: str, otherwise: str = "") -> str:
        """Return the argument of the first line with this verb, or the default."""
        return next(iter(self.said(verb)), otherwise)

    @property
    def trust(self) -> dict[str, str]:
        """Return what the connection proves of a caller, by channel, where the dialog says so."""
        return dict(re.findall(r"(\w+) (\w+)", " ".join(self.said("trust"))))


def read(text: str, name: str) -> Dialog:
    """Parse a dialog; DialogError names every line that is not understood."""
    lines = tuple(text.splitlines())
    faults = [f"{name}:{number}: {what}" for number, what in _wrong(lines)]
    if faults:
        raise DialogError("\n".join(faults))
    return Dialog(name, lines, tuple(_cues(lines)))


def write(dialog: Dialog, brought: Sequence[tuple[str, ...]]) -> str:
    """Return the dialog's text with the actual results in place of the expected ones.

    `results` holds the result lines of each step, in order.
    """
    results_by_line = {cue.line: lines for cue, lines in zip(dialog.cues, brought, strict=True)}
    output: list[str] = []
    for number, line in enumerate(dialog.lines, 1):
        if not _expects(line):
            output += [
                line.rstrip(),
                *(f"{INDENT}{result}".rstrip() for result in results_by_line.get(number, ())),
            ]
    return "\n".join(output) + "\n"


def moment(said: str) -> datetime:
    """Return the local time of an `at` line, without a time zone."""
    return datetime.fromisoformat(said)


def duration(said: str) -> timedelta:
    """Return the duration of a `wait` line."""
    parts = {f"{unit}s": int(count) for count, unit in re.findall(r"(\d+) (second|minute|hour|day)", said)}
    return timedelta(**parts)


def _cues(lines: Sequence[str]) -> Iterator[Cue]:
    for number, line in enumerate(lines, 1):
        if _acts(line):
            verb, said = _split(line)
            yield Cue(number, verb, said, tuple(_expected(lines[number:])))


def _expected(below: Sequence[str]) -> Iterator[str]:
    for line in below:
        if _acts(line):
            return
        if _expects(line):
            yield line.strip()


def _acts(line: str) -> bool:
    return bool(line.strip()) and line[0] not in " \t#"


def _expects(line: str) -> bool:
    return line[:1] in (" ", "\t") and bool(line.strip())


def _split(line: str) -> tuple[str, str]:
    """Split a line into verb and argument; after `>` inner and trailing spaces are kept."""
    if line.startswith(">"):
        return ">", line[1:].removeprefix(" ")
    verb, _, said = line.partition(" ")
    return verb.rstrip(), said if verb == "text" else said.strip()


def _wrong(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    has_action = False
    for number, line in enumerate(lines, 1):
        fault = _fault(line, done=has_action)
        if fault:
            yield number, fault
        has_action = has_action or _acts(line)


def _fault(line: str, *, done: bool) -> str:
    if _expects(line):
        return _expectation_fault(line.strip(), done=done)
    return _cue_fault(*_split(line)) if _acts(line) else ""


def _expectation_fault(told: str, *, done: bool) -> str:
    if told[0] not in MARKS:
        return f"an indented line is what must come; begin it with one of: {' '.join(MARKS)}"
    return "" if done else "nothing has been done yet; write `dial *100#` (or call, text) above it"


def _cue_fault(verb: str, said: str) -> str:
    if verb not in VERBS:
        close = get_close_matches(verb, VERBS, 1)
        hint = f"did you mean `{VERBS[close[0]][1]}`?" if close else f"write one of: {', '.join(VERBS)}"
        return f"{verb!r} is not known; {hint}"
    form, example = VERBS[verb]
    return "" if re.fullmatch(form, said) else f"`{verb}` has the wrong form; write it like `{example}`"
