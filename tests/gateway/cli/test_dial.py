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

from gateway.cli.terminal_phone import parse_caller
from gateway.dialogs.format import DialogError
from tests.support.shipped_packs import shipped_menu

ARROW_UP, END_OF_INPUT = "\x1b[A", "\x04"
DIM, CYAN, RED, GREEN = (f"\x1b[0;{code}m" for code in ("2", "36", "31", "32"))
TIMEOUT_SECONDS = 60.0


def restore_interrupts() -> None:
    """Restore SIGINT: a process started in the background ignores it, and its children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class TerminalSession:
    """A pseudo-terminal that runs `dialtree dial`."""

    folder: Path
    environment: dict[str, str]
    screen_text: str = ""
    seen_until: int = 0
    child: "subprocess.Popen[bytes] | None" = None
    file_descriptors: tuple[int, ...] = field(default=())

    def start_dial(self, *arguments: str) -> None:
        self.file_descriptors, self.screen_text, self.seen_until = pty.openpty(), "", 0
        command = [sys.executable, "-m", "gateway", "dial", *arguments]
        side = self.file_descriptors[1]
        self.child = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            preexec_fn=restore_interrupts,
        )

    def wait_for_text(self, words: str) -> None:
        """Wait until the text appears after what was seen before."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while words not in self.screen_text[self.seen_until :]:
            ready = select.select([self.file_descriptors[0]], [], [], max(0.0, until - time.monotonic()))[0]
            assert ready, f"not seen: {words!r} in {self.screen_text!r}"
            self.screen_text += os.read(self.file_descriptors[0], 4096).decode()
        self.seen_until = self.screen_text.index(words, self.seen_until) + len(words)

    def type_keys(self, keys: str, words: str) -> None:
        """Type at the prompt and wait for the expected text."""
        self.wait_for_text("> ")
        os.write(self.file_descriptors[0], keys.encode())
        self.wait_for_text(words)

    def wait_for_exit(self) -> int:
        assert self.child
        return self.child.wait(TIMEOUT_SECONDS)

    @property
    def history_path(self) -> Path:
        """Path of the history file."""
        return self.folder / "state" / "dialtree" / "history"

    @property
    def read_history(self) -> str:
        return self.history_path.read_text()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[TerminalSession]:
    environ = {**os.environ, "TERM": "xterm", "XDG_STATE_HOME": str(tmp_path / "state")}
    environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    environ["PROMPT_TOOLKIT_NO_CPR"] = "1"  # this terminal does not say where its cursor is
    environ.pop("NO_COLOR", None)
    opened = TerminalSession(tmp_path, environ)
    yield opened
    if opened.child and opened.child.poll() is None:
        opened.child.kill()
        opened.child.wait()
    for end in opened.file_descriptors:
        os.close(end)


def test_arrows_colours_and_a_clean_end(terminal: TerminalSession) -> None:
    terminal.start_dial("*100#", "--language", "en")
    terminal.wait_for_text(f"{DIM}(")
    terminal.wait_for_text("0 Exit")
    terminal.type_keys("1\n", "1 Bill")
    terminal.type_keys(END_OF_INPUT, "\n")
    assert terminal.wait_for_exit() == 0
    terminal.environment["NO_COLOR"] = "1"
    terminal.start_dial("*100#", "--language", "en")
    before = termios.tcgetattr(terminal.file_descriptors[1])
    terminal.wait_for_text("0 Exit")
    assert DIM not in terminal.screen_text
    terminal.type_keys(f"{ARROW_UP}\n", "1 Bill")
    terminal.wait_for_text("> ")
    assert terminal.child
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.wait_for_exit() == 130
    assert termios.tcgetattr(terminal.file_descriptors[1])[:4] == before[:4]
    assert terminal.read_history == "1\n"
    assert terminal.history_path.stat().st_mode & 0o077 == 0


def test_a_secret_is_never_in_the_history_and_what_was_saved_plays_again(terminal: TerminalSession) -> None:
    terminal.start_dial("--channel", "voice", "--language", "en", "--save", "call.dialog")
    terminal.wait_for_text("calling 411")
    terminal.wait_for_text("(1 key)")
    terminal.type_keys("\n", "Pentru facturi")
    terminal.type_keys("1\n", "apăsați 2")
    terminal.type_keys("2\n", "(8 keys then #)")
    terminal.type_keys("123456#\n", "nu este bun")
    terminal.type_keys(END_OF_INPUT, "\n")
    assert terminal.wait_for_exit() == 0
    assert terminal.read_history == "1\n2\n"
    saved = terminal.folder / "call.dialog"
    assert "silence\n" in saved.read_text() and saved.read_text().endswith("hang up\n")
    (terminal.folder / "odd.dialog").write_text(saved.read_text().replace("Pentru facturi", "Pentru poșete"))
    terminal.start_dial("--script", "call.dialog", "odd.dialog")
    terminal.wait_for_text("call.dialog: passes")
    terminal.wait_for_text(f"{RED}-  | Pentru poșete")
    terminal.wait_for_text(f"{GREEN}+  | Pentru facturi")
    assert terminal.wait_for_exit() == 1


def test_a_texted_password_is_never_in_the_history(terminal: TerminalSession) -> None:
    terminal.start_dial("477", "--language", "en")
    terminal.wait_for_text("texting 477")
    terminal.type_keys("FACTURA\n", "of 306")
    terminal.type_keys("ThankYou1\n", f"{CYAN}sms to ...0101")
    terminal.type_keys(END_OF_INPUT, "\n")
    assert terminal.wait_for_exit() == 0
    assert terminal.read_history == "FACTURA\n"


def parse_options(**given: object) -> Namespace:
    return Namespace(**{"caller": "+40740000101", "language": "", "save": None} | given)


@pytest.mark.parametrize("caller", ["+40740000101", "0740000101", "0040 740 000 101"])
def test_the_number_may_be_written_as_people_write_it(caller: str) -> None:
    menu = shipped_menu("orange-ro")
    assert parse_caller(parse_options(caller=caller), menu) == "+40740000101"


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
        parse_caller(parse_options(**given), shipped_menu("orange-ro"))
