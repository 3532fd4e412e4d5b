"""ANSI colours for terminal output; off in pipes, files and where NO_COLOR is set (no-color.org)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

ColourStyle = Literal["dim", "message", "prompt", "fault", "removed", "added"]
SGR_CODES: Mapping[ColourStyle, str] = {
    "dim": "2",
    "message": "36",
    "prompt": "1;34",
    "fault": "1;31",
    "removed": "31",
    "added": "32",
}
"""SGR (Select Graphic Rendition) codes of ECMA-48, by style."""
DIFF_STYLES: Mapping[str, ColourStyle] = {"-": "removed", "+": "added", "@": "dim"}
"""Style of a line of a unified diff, by its first character."""


@dataclass(frozen=True, slots=True)
class Colours:
    """ANSI colouring of text for one stream; leaves the text unchanged when disabled."""

    enabled: bool

    @classmethod
    def for_stream(cls, stream: TextIO, environ: Mapping[str, str]) -> "Colours":
        """Return colours enabled if the stream is a terminal and NO_COLOR and TERM permit them."""
        return cls(stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")

    def paint(self, text: str, style: ColourStyle) -> str:
        """Return the text in a style."""
        return f"\x1b[{SGR_CODES[style]}m{text}\x1b[0m" if self.enabled and text else text

    def paint_diff(self, lines: list[str]) -> str:
        """Return the lines of a unified diff as coloured text."""
        return "\n".join(
            self.paint(each, DIFF_STYLES[each[0]]) if each[:1] in DIFF_STYLES else each for each in lines
        )
