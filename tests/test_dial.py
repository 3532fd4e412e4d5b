"""`dialtree dial` at a real terminal: colours, arrows, a history without secrets, dialogs saved and compared."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

UP, END_OF_INPUT, INTERRUPT = "\x1b[A", "\x04", "\x03"
SECONDS = 30.0
DIALOG = """operator orange-ro
from +40740000101
language en
dial *100#
  | Welcome to Orange!
  | 1 Budget
  | 0 Exit
> 1
  | {second}
  | 1 Bill
  | 0 Back
"""


@dataclass
class Terminal:
    """A pseudo-terminal with `dialtree dial` in it."""

    folder: Path
    environ: dict[str, str]
    shown: str = ""
    child: "subprocess.Popen[bytes] | None" = None
    ends: tuple[int, ...] = field(default=())

    def run(self, *arguments: str) -> None:
        self.ends, self.shown = pty.openpty(), ""
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
        )

    def see(self, words: str) -> None:
        """Wait until this is on the screen behind what was seen before."""
        until = time.monotonic() + SECONDS
        while words not in self.shown:
            ready = select.select([self.ends[0]], [], [], max(0.0, until - time.monotonic()))[0]
            assert ready, f"not seen: {words!r} in {self.shown!r}"
            self.shown += os.read(self.ends[0], 4096).decode()

    def type(self, keys: str, words: str) -> None:
        self.shown = ""
        os.write(self.ends[0], keys.encode())
        self.see(words)

    def ended(self) -> int:
        assert self.child
        return self.child.wait(SECONDS)

    @property
    def history(self) -> str:
        path = self.folder / "state" / "dialtree" / "history"
        return path.read_text() if path.exists() else ""


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


def test_arrows_bring_back_what_was_typed_in_another_call(terminal: Terminal) -> None:
    for _ in range(2):
        terminal.run("*100#", "--language", "en")
        terminal.see("0 Exit")
        terminal.type("1\n", "1 Bill")
        terminal.type(END_OF_INPUT, "\n")
        assert terminal.ended() == 0
    terminal.run("*100#", "--language", "en")
    terminal.see("0 Exit")
    terminal.type(f"{UP}\n", "1 Bill")
    assert terminal.history == "1\n"
    assert (terminal.folder / "state" / "dialtree" / "history").stat().st_mode & 0o077 == 0


def test_a_secret_is_never_in_the_history(terminal: Terminal) -> None:
    terminal.run("411", "--language", "en", "--save", "call.dialog")
    terminal.see("(1 key)")
    terminal.type("1\n", "press 2")
    terminal.type("2\n", "(8 keys then #)")
    terminal.type("123456#\n", "not right")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    assert terminal.history == "1\n2\n"
    assert "> 123456#" in (terminal.folder / "call.dialog").read_text()


def test_a_texted_password_is_never_in_the_history(terminal: Terminal) -> None:
    terminal.run("--channel", "sms", "--language", "en")
    terminal.see("texting 477")
    terminal.type("FACTURA\n", "of 306")
    terminal.type("ThankYou1\n", "your code is")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    assert terminal.history == "FACTURA\n"


def test_colours_are_for_terminals_that_want_them(terminal: Terminal) -> None:
    terminal.run("*100*1*1#", "--language", "en")
    terminal.see("\x1b[2m(")
    terminal.type("3\n", "Switch to")
    terminal.type("1\n", "\x1b[36msms to ...0101")
    assert terminal.ended() == 0
    terminal.environ["NO_COLOR"] = "1"
    terminal.run("*100#", "--language", "en")
    terminal.see("septets)")
    terminal.type("0\n", "(end)")
    assert terminal.ended() == 0
    assert "\x1b[2m" not in terminal.shown and "\x1b[3" not in terminal.shown


def test_control_c_ends_it_and_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.run("*100#")
    before = termios.tcgetattr(terminal.ends[1])
    terminal.see("0 Iesire")
    assert terminal.child
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.ended() == 130
    assert termios.tcgetattr(terminal.ends[1])[:4] == before[:4]


def test_a_channel_is_enough_to_reach_the_operator_s_own_number(terminal: Terminal) -> None:
    terminal.run("--channel", "voice", "--language", "en")
    terminal.see("calling 411")
    terminal.see("For bills, press 1.")
    terminal.type("\n", "For bills, press 1.")


@pytest.mark.parametrize(("second", "status"), [("Budget", 0), ("Purse", 1)])
def test_a_dialog_is_played_again_and_what_differs_is_shown(
    terminal: Terminal, second: str, status: int
) -> None:
    (terminal.folder / "own.dialog").write_text(DIALOG.format(second=second))
    terminal.run("--script", "own.dialog")
    terminal.see("| 0 Back")
    if status:
        terminal.see("\x1b[31m-  | Purse")
        terminal.see("\x1b[32m+  | Budget")
    assert terminal.ended() == status


def test_what_was_saved_plays_again_without_a_difference(terminal: Terminal) -> None:
    terminal.run("*100*1*1#", "--language", "en", "--save", "own.dialog")
    terminal.see("Latest bill")
    terminal.type("2\n", "(")
    terminal.type(END_OF_INPUT, "\n")
    assert terminal.ended() == 0
    assert re.search(r"^hang up$", (terminal.folder / "own.dialog").read_text(), re.M)
    terminal.run("--script", "own.dialog")
    assert terminal.ended() == 0
