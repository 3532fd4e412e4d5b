"""The keyboard: lines typed at a terminal, with arrows and a history that holds no secret."""

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

MOST_LINES = 1000
"""Lines a history keeps; the oldest go first."""
PROMPT = "> "


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Where what is typed comes from; without a history it is a pipe, and nothing is asked for aloud."""

    history: Path | None = None
    prompt: str = ""

    async def line(self) -> str | None:
        """The next line without its end; None when there is none."""
        return await _waited(self._typed if self.history else _piped)

    def keep(self, typed: str) -> None:
        """Remember a line. Never call it with a secret: nothing takes it out again."""
        last = readline.get_history_item(readline.get_current_history_length()) if self.history else typed
        if self.history is None or not typed.strip() or typed == last:
            return
        readline.add_history(typed)
        with suppress(OSError):  # the arrows work without the file
            _write(self.history)

    def _typed(self) -> str | None:
        try:
            return input(self.prompt)
        except EOFError:
            return None


def keyboard(environ: Mapping[str, str]) -> Keyboard:
    """Standing before a terminal, one with a history; the process leaves the terminal as it was found."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Keyboard()
    atexit.register(termios.tcsetattr, sys.stdin, termios.TCSANOW, termios.tcgetattr(sys.stdin))
    history = history_file(environ)
    readline.set_auto_history(False)
    readline.set_history_length(MOST_LINES)
    with suppress(OSError):  # none yet, or not ours to read
        readline.read_history_file(history)
    return Keyboard(history, _marked(Colours.of(sys.stdout, environ).paint(PROMPT, "prompt")))


def history_file(environ: Mapping[str, str]) -> Path:
    """`dialtree/history` in the folder for state (XDG Base Directory: a relative path does not count)."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    folder = named if named.is_absolute() else Path.home() / ".local" / "state"
    return folder / "dialtree" / "history"


def _write(history: Path) -> None:
    """For its owner's eyes only, from the first byte on."""
    history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
    readline.write_history_file(history)


def _piped() -> str | None:
    typed = sys.stdin.readline()
    return typed.rstrip("\r\n") if typed else None


def _marked(prompt: str) -> str:
    """Tells readline which parts of the prompt take no room."""
    return prompt.replace("\x1b[", "\x01\x1b[").replace("m", "m\x02") if "\x1b" in prompt else prompt


async def _waited(read: Callable[[], str | None]) -> str | None:
    """Read in a thread nobody waits for: Ctrl-C must not ask for one more line."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(typed: str | None) -> None:
        if not answer.done():
            answer.set_result(typed)

    def run() -> None:
        typed = read()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, typed)

    Thread(target=run, daemon=True).start()
    return await answer
