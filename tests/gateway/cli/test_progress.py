"""Progress: a bar with count, rate and time left on a terminal; silence in a pipe."""

import io
import re

import pytest
from rich.progress import Progress

from gateway.cli.progress import RateColumn, show_progress


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    return FakeTerminal()


def test_a_terminal_shows_how_many_of_how_many(terminal: FakeTerminal) -> None:
    with show_progress("bill notices", "bills", terminal) as report:
        report(2_000, 8_000)
    assert re.search(r"bill notices .* 2000/8000 .* left ", terminal.getvalue())


def test_the_end_may_be_unknown(terminal: FakeTerminal) -> None:
    with show_progress("bill notices", "bills", terminal) as report:
        report(2_000, None)
    assert " 2000/? " in terminal.getvalue()


def test_a_pipe_sees_nothing() -> None:
    pipe = io.StringIO()
    with show_progress("bill notices", "bills", pipe) as report:
        report(1, 2)
    assert pipe.getvalue() == ""


def test_the_rate_is_per_second() -> None:
    seconds = 0.0
    bars = Progress(get_time=lambda: seconds, disable=True)
    task = bars.add_task("notices", total=10_000)
    bars.update(task, completed=1_000)
    seconds = 4.0
    bars.update(task, completed=6_000)
    assert RateColumn("bills").render(bars.tasks[0]).plain == "1,250 bills/s"
