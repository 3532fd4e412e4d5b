"""SVG bar plots: a bar for each case with its spread, and one for the release before."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW_HEIGHT, BAR_HEIGHT = 720, 36, 12
TITLE_HEIGHT, NAME_WIDTH, LEGEND_HEIGHT = 40, 300, 24
SCALE = WIDTH - NAME_WIDTH - 60
"""Width of a bar of 1.0, in pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio with its lowest and highest round, and the same of the release before."""

    name: str
    ratio: float
    lowest: float
    highest: float
    before: float | None = None


def draw_bars(title: str, bars: Sequence[Bar]) -> str:
    """Return an SVG document with a row for each bar."""
    height = TITLE_HEIGHT + LEGEND_HEIGHT + ROW_HEIGHT * len(bars)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">'
    )
    heading = f'<text x="10" y="24" font-size="16">{escape(title)}</text>'
    legend = f'<text x="10" y="{TITLE_HEIGHT + 8}" font-size="11">blue: now; gray: the release before</text>'
    rows = [_draw_row(bar, TITLE_HEIGHT + LEGEND_HEIGHT + ROW_HEIGHT * index) for index, bar in enumerate(bars)]
    return "\n".join([opening, heading, legend, *rows, "</svg>", ""])


def _draw_row(bar: Bar, top: int) -> str:
    middle = top + BAR_HEIGHT // 2
    parts = [
        f'<text x="10" y="{top + 14}" font-size="12">{escape(bar.name)}</text>',
        _draw_bar(bar.ratio, top, "steelblue"),
        f'<path d="M{_place(bar.lowest)},{middle} H{_place(bar.highest)}" stroke="black"/>',
    ]
    if bar.before is not None:
        parts.append(_draw_bar(bar.before, top + BAR_HEIGHT + 1, "lightgray"))
    return "\n".join(parts)


def _draw_bar(ratio: float, top: int, colour: str) -> str:
    end = _place(ratio)
    return (
        f'<path d="M{NAME_WIDTH},{top} H{end} v{BAR_HEIGHT} H{NAME_WIDTH} Z" fill="{colour}"/>'
        f'<text x="{end + 20}" y="{top + 10}" font-size="10">{ratio:.2f}</text>'
    )


def _place(ratio: float) -> float:
    return round(NAME_WIDTH + SCALE * min(ratio, 1.0), 1)
