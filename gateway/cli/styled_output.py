"""Styled terminal output (prompt_toolkit); plain lines in pipes, files and where NO_COLOR is set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TextIO

from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.shortcuts import print_formatted_text
from prompt_toolkit.styles import Style

LineStyle = Literal["dim", "message", "prompt", "fault", "removed", "added"]
STYLE_RULES: Mapping[LineStyle, str] = {
    "dim": "dim",
    "message": "ansicyan",
    "prompt": "bold ansiblue",
    "fault": "bold ansired",
    "removed": "ansired",
    "added": "ansigreen",
}
"""prompt_toolkit's rule of each style: the terminal's own 16 colours, which fit light and dark schemes."""
STYLE_SHEET = Style(list(STYLE_RULES.items()))
DIFF_STYLES: Mapping[str, LineStyle] = {"-": "removed", "+": "added", "@": "dim"}
"""Style of a line of a unified diff, by its first character."""


@dataclass(frozen=True, slots=True)
class StyledOutput:
    """Prints lines to a stream; `terminal` is None where they stay plain."""

    stream: TextIO = field(repr=False)
    terminal: Output | None = field(repr=False)

    @classmethod
    def for_stream(cls, stream: TextIO, environ: Mapping[str, str]) -> "StyledOutput":
        """Return output that is styled if the stream is a terminal, and NO_COLOR and TERM permit it."""
        return cls(stream, create_output(stream) if permits_styles(stream, environ) else None)

    def print_line(self, text: str, style: LineStyle | None = None) -> None:
        """Print a line in a style; flushed, so that a reader of a pipe has it at once."""
        if self.terminal is None or style is None or not text:
            print(text, file=self.stream, flush=True)
            return
        print_formatted_text(FormattedText([(f"class:{style}", text)]), style=STYLE_SHEET, output=self.terminal)

    def print_diff(self, lines: list[str]) -> None:
        """Print the lines of a unified diff."""
        for line in lines:
            self.print_line(line, DIFF_STYLES.get(line[:1]))


def permits_styles(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream may be styled: a terminal that is not dumb, without NO_COLOR (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
