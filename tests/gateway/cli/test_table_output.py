"""Tables: with heads on a terminal; in a pipe the lines that scripts read."""

import io

from gateway.cli.table_output import print_table

ROWS = [(7, "notice", "[no markup]"), (12, "code", "...0101")]


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed_table(stream: io.StringIO) -> list[str]:
    print_table(("row", "kind", "to"), ROWS, "{:>4}  {}  {}", stream)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_a_line_for_each_row() -> None:
    assert printed_table(io.StringIO()) == ["   7  notice  [no markup]", "  12  code  ...0101"]


def test_a_terminal_gets_heads_and_the_cells_as_they_are() -> None:
    text = "\n".join(printed_table(FakeTerminal()))
    assert all(word in text for word in ("row", "kind", "[no markup]", "...0101"))
