"""`dialtree dial` on a pseudo-terminal: colours, arrow keys, history without secrets, dialogs."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.cli.terminal_phone import caller_of
from gateway.dialogs.format import DialogError
from gateway.publishing import pack_compiler

UP, END_OF_INPUT = "\x1b[A", "\x04"
SECONDS = 60.0


def heeding() -> None:
    """Restore SIGINT: a process started in the background ignores it, and its children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Terminal:
    """A pseudo-terminal that runs `dialtree dial`."""

    folder: Path
    environ: dict[str, str]
    shown: str = ""
    seen: int = 0
    child: "subprocess.Popen[bytes] | None" = None
    ends: tuple[int, ...] = field(default=())

    def run(self, *arguments: str) -> None:
        self.ends, self.shown, self.seen = pty.openpty(), "", 0
        command = [sys.executable, "-m", "gateway", "dial", *arguments]
        side = self.ends[1]
        self.child = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            preexec_fn=heeding,
        )

    def see(self, words: str) -> None:
        """Wait until the text appears after what was seen before."""
        until = time.monotonic() + SECONDS
        while words not in self.shown[self.seen :]:
            ready = select.select([self.ends[0]], [], [], max(0.0, until - time.monotonic()))[0]
            assert ready, f"not seen: {words!r} in {self.shown!r}"
            self.shown += os.read(self.ends[0], 4096).decode()
        self.seen = self.shown.index(words, self.seen) + len(words)

    def type(self, keys: str, words: str) -> None:
        """Type at the prompt and wait for the expected text."""
        self.see("> ")
        os.write(self.ends[0], keys.encode())
        self.see(words)

    def ended(self) -> int:
        assert self.child
        return self.child.wait(SECONDS)

    @property
    def kept(self) -> Path:
        """Path of the history file."""
        return self.folder / "state" / "dialtree" / "history"

    @property
    def history(self) -> str:
        return self.kept.read_text()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    environ = {**os.environ, "TERM": "xterm", "XDG_STATE_HOME": str(tmp_path / "state")}
    environ.pop("NO_COLOR", None)
    opened = Terminal(tmp_path, environ)
    yield opened
    if opened.child and opened.child.poll() is None:
        opened.child.kill()
        opened.child.wait()
    for end in opened.ends:
        os.close(end)


def test_arrows_colours_and_a_clean_end(terminal: Terminal) -> None:
    terminal.run("*100#", "--language", "en")
    terminal.see("\x1b[2m(")
    terminal.see("0 Exit")
    terminal.type("1\n", "1 Bill")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    terminal.environ["NO_COLOR"] = "1"
    terminal.run("*100#", "--language", "en")
    before = termios.tcgetattr(terminal.ends[1])
    terminal.see("0 Exit")
    assert "\x1b[2m" not in terminal.shown
    terminal.type(f"{UP}\n", "1 Bill")
    terminal.see("> ")
    assert terminal.child
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.ended() == 130
    assert termios.tcgetattr(terminal.ends[1])[:4] == before[:4]
    assert terminal.history == "1\n"
    assert terminal.kept.stat().st_mode & 0o077 == 0


def test_a_secret_is_never_in_the_history_and_what_was_saved_plays_again(terminal: Terminal) -> None:
    terminal.run("--channel", "voice", "--language", "en", "--save", "call.dialog")
    terminal.see("calling 411")
    terminal.see("(1 key)")
    terminal.type("\n", "For bills")
    terminal.type("1\n", "press 2")
    terminal.type("2\n", "(8 keys then #)")
    terminal.type("123456#\n", "not right")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    assert terminal.history == "1\n2\n"
    saved = terminal.folder / "call.dialog"
    assert "silence\n" in saved.read_text() and saved.read_text().endswith("hang up\n")
    (terminal.folder / "odd.dialog").write_text(saved.read_text().replace("For bills", "For purses"))
    terminal.run("--script", "call.dialog", "odd.dialog")
    terminal.see("call.dialog: passes")
    terminal.see("\x1b[31m-  | For purses")
    terminal.see("\x1b[32m+  | For bills")
    assert terminal.ended() == 1


def test_a_texted_password_is_never_in_the_history(terminal: Terminal) -> None:
    terminal.run("477", "--language", "en")
    terminal.see("texting 477")
    terminal.type("FACTURA\n", "of 306")
    terminal.type("ThankYou1\n", "\x1b[36msms to ...0101")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    assert terminal.history == "FACTURA\n"


def asked(**given: object) -> Namespace:
    return Namespace(**{"caller": "+40740000101", "language": "", "save": None} | given)


@pytest.mark.parametrize("caller", ["+40740000101", "0740000101", "0040 740 000 101"])
def test_the_number_may_be_written_as_people_write_it(caller: str) -> None:
    menu = pack_compiler.menu(pack_compiler.folder("orange-ro"))
    assert caller_of(asked(caller=caller), menu) == "+40740000101"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"caller": "ana"}, "--from 'ana' is no number; write it like +40700000101"),
        ({"language": "xx"}, "orange-ro has no language 'xx'; write one of: ro, en"),
        ({"save": Path("/nowhere/call.dialog")}, "/nowhere: no such folder"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(given: dict[str, object], told: str) -> None:
    with pytest.raises(DialogError, match=re.escape(told)):
        caller_of(asked(**given), pack_compiler.menu(pack_compiler.folder("orange-ro")))
