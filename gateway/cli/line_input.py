"""Line input of the terminal phone: readline with a history file that holds no secret."""

import asyncio
import atexit
import os
import readline
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from gateway.cli.colours import Colours

MAX_HISTORY_LINES = 1000
"""Lines the history keeps; the oldest are dropped first."""
PROMPT = "> "


@dataclass(frozen=True, slots=True)
class TerminalInput:
    """Source of input lines: a terminal with history, or a pipe (no history and no prompt)."""

    history: Path | None = None
    prompt: str = ""

    async def read_line(self) -> str | None:
        """Return the next line without its line end, or None at end of input."""
        return await _read_in_thread(self._read_terminal if self.history else _read_pipe)

    def remember(self, line: str) -> None:
        """Append a line to the history. Never call it with a secret: lines cannot be removed again."""
        last = readline.get_history_item(readline.get_current_history_length()) if self.history else line
        if self.history is None or not line.strip() or line == last:
            return
        readline.add_history(line)
        with suppress(OSError):  # history works in memory without the file
            _write_history(self.history)

    def _read_terminal(self) -> str | None:
        try:
            return input(self.prompt)
        except EOFError:
            return None


def open_input(environ: Mapping[str, str]) -> TerminalInput:
    """Return terminal input with history, or pipe input when stdin or stdout is not a terminal.

    The terminal's attributes are restored when the process exits.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return TerminalInput()
    atexit.register(termios.tcsetattr, sys.stdin, termios.TCSANOW, termios.tcgetattr(sys.stdin))
    history = history_file(environ)
    readline.set_auto_history(False)
    readline.set_history_length(MAX_HISTORY_LINES)
    with suppress(OSError):  # missing or unreadable
        readline.read_history_file(history)
    return TerminalInput(
        history, _mark_escapes(Colours.for_stream(sys.stdout, environ).paint(PROMPT, "prompt"))
    )


def history_file(environ: Mapping[str, str]) -> Path:
    """Return `dialtree/history` in the state folder (XDG: a relative XDG_STATE_HOME is ignored)."""
    configured = Path(environ.get("XDG_STATE_HOME", ""))
    folder = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    return folder / "dialtree" / "history"


def _write_history(history: Path) -> None:
    """Write the history file with mode 0600 from its creation on."""
    history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
    readline.write_history_file(history)


def _read_pipe() -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


def _mark_escapes(prompt: str) -> str:
    """Mark escape sequences as zero width for readline (`\x01` and `\x02`)."""
    return prompt.replace("\x1b[", "\x01\x1b[").replace("m", "m\x02") if "\x1b" in prompt else prompt


async def _read_in_thread(read: Callable[[], str | None]) -> str | None:
    """Read a line in a daemon thread, so that Ctrl-C ends the program without one more line."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(typed: str | None) -> None:
        if not answer.done():
            answer.set_result(typed)

    def run() -> None:
        typed = read()
        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, typed)

    Thread(target=run, daemon=True).start()
    return await answer
