"""Colours: for people at a terminal, never in a pipe or a file, never where NO_COLOR is set (no-color.org)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

Style = Literal["dim", "arrived", "prompt", "fault", "gone", "come"]
CODES: Mapping[Style, str] = {
    "dim": "2",
    "arrived": "36",
    "prompt": "1;34",
    "fault": "1;31",
    "gone": "31",
    "come": "32",
}
"""SGR codes of ECMA-48."""
BY_MARK: Mapping[str, Style] = {"-": "gone", "+": "come", "@": "dim"}
"""How the lines of a unified diff begin."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Paints where people look, and leaves the text alone elsewhere."""

    on: bool

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str]) -> "Colours":
        """What a stream can show, and its owner wants to see."""
        return cls(stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")

    def paint(self, text: str, style: Style) -> str:
        """The text in a style."""
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if self.on and text else text

    def diff(self, lines: list[str]) -> str:
        """A unified diff, line by line."""
        return "\n".join(self.paint(each, BY_MARK[each[0]]) if each[:1] in BY_MARK else each for each in lines)
