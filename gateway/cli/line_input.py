"""Line input of the terminal phone: prompt_toolkit with a history that holds no secret; pipes."""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from prompt_toolkit import PromptSession
from prompt_toolkit.history import History

from gateway.cli.styled_output import STYLE_SHEET, permits_styles

MAX_HISTORY_LINES = 1000
"""Lines the history offers; the oldest are left out first."""
PROMPT = "> "


class PhoneHistory(History):
    """History file with one line per input. Only lines given to `remember` enter it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def append_string(self, string: str) -> None:
        """Ignore the line: the prompt offers every line, and some are secrets."""

    def remember(self, line: str) -> None:
        """Append a line that holds no secret, unless it is blank or repeats the last."""
        if line.strip() and self.get_strings()[-1:] != [line]:
            super().append_string(line)

    def load_history_strings(self) -> Iterable[str]:
        """Return the lines of the file, newest first; none if it cannot be read."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return lines[: -MAX_HISTORY_LINES - 1 : -1]

    def store_string(self, string: str) -> None:
        """Append a line to the file (mode 0600); without the file, the history lasts while we run."""
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a") as file:  # noqa: PTH123 - with the mode
                file.write(f"{string}\n")


@dataclass(frozen=True, slots=True)
class TerminalInput:
    """Source of input lines: a terminal with editing and history, or a pipe without prompt."""

    session: PromptSession[str] | None = None

    @property
    def is_terminal(self) -> bool:
        """Return whether a person types at a prompt."""
        return self.session is not None

    async def read_line(self) -> str | None:
        """Return the next line without its line end, or None at end of input."""
        if self.session is None:
            return await _read_pipe_line()
        try:
            return await self.session.prompt_async()
        except EOFError:
            return None

    def remember(self, line: str) -> None:
        """Append a line to the history. Never call it with a secret: lines cannot be removed again."""
        if self.session is not None and isinstance(self.session.history, PhoneHistory):
            self.session.history.remember(line)


def open_input(environ: Mapping[str, str]) -> TerminalInput:
    """Return terminal input with history, or pipe input when stdin or stdout is not a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return TerminalInput()
    style = "class:prompt" if permits_styles(sys.stdout, environ) else ""
    history = PhoneHistory(history_file(environ))
    return TerminalInput(PromptSession([(style, PROMPT)], style=STYLE_SHEET, history=history))


def history_file(environ: Mapping[str, str]) -> Path:
    """Return `dialtree/history` in the state folder (XDG: a relative XDG_STATE_HOME is ignored)."""
    configured = Path(environ.get("XDG_STATE_HOME", ""))
    folder = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    return folder / "dialtree" / "history"


async def _read_pipe_line() -> str | None:
    """Read a line of stdin in a daemon thread, so that Ctrl-C ends the program without one more line."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(line: str) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        line = sys.stdin.readline()
        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, line)

    Thread(target=read, daemon=True).start()
    line = await answer
    return line.rstrip("\r\n") if line else None
