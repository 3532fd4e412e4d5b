"""Styled output: escape sequences on a terminal only, and none where the user forbids them."""

import io

import pytest

from gateway.cli.styled_output import StyledOutput


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


def printed_line(stream: io.StringIO, environ: dict[str, str]) -> str:
    StyledOutput.for_stream(stream, environ).print_line("no such file", "fault")
    return stream.getvalue()


def test_a_terminal_is_styled() -> None:
    assert "\x1b[0;31;1m" in printed_line(FakeTerminal(), {})


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_may_forbid_styles(environ: dict[str, str]) -> None:
    assert printed_line(FakeTerminal(), environ) == "no such file\n"


def test_a_pipe_gets_plain_lines() -> None:
    assert printed_line(io.StringIO(), {}) == "no such file\n"
