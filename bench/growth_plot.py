"""SVG plots of growth figures: a panel for each series, both axes logarithmic."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10

Points = Sequence[tuple[float, float]]
"""Size and cost, by ascending size."""
WIDTH, PANEL_HEIGHT, MARGIN = 640, 180, 60
TITLE_HEIGHT = 40


def draw_plot(title: str, series: Mapping[str, Points]) -> str:
    """Return an SVG document with a panel for each series, by its name."""
    height = TITLE_HEIGHT + PANEL_HEIGHT * len(series)
    panels = [
        _draw_panel(name, points, TITLE_HEIGHT + PANEL_HEIGHT * index)
        for index, (name, points) in enumerate(series.items())
    ]
    heading = f'<text x="{MARGIN}" y="24" font-size="16">{escape(title)}</text>'
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">'
    )
    return "\n".join([opening, heading, *panels, "</svg>", ""])


def _draw_panel(name: str, points: Points, top: int) -> str:
    sizes, costs = _decades(size for size, _ in points), _decades(cost for _, cost in points)
    bottom = top + PANEL_HEIGHT - MARGIN

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across = MARGIN + (WIDTH - 2 * MARGIN) * _share(point[0], sizes)
        return round(across, 1), round(bottom - (PANEL_HEIGHT - 2 * MARGIN) * _share(point[1], costs), 1)

    line = " ".join(f"{x},{y}" for x, y in map(place, points))
    marks = [_draw_mark(place(point), point) for point in points]
    frame = f'<path d="M{MARGIN},{top + MARGIN} V{bottom} H{WIDTH - MARGIN}" fill="none" stroke="gray"/>'
    label = f'<text x="{MARGIN}" y="{top + 24}" font-size="13">{escape(name)}</text>'
    return "\n".join([label, frame, f'<polyline points="{line}" fill="none" stroke="navy"/>', *marks])


def _draw_mark(at: tuple[float, float], point: tuple[float, float]) -> str:
    x, y = at
    cost, size = f"{point[1]:.3g}", f"{point[0]:,.0f}"
    return (
        f'<circle cx="{x}" cy="{y}" r="3" fill="navy"/>'
        f'<text x="{x}" y="{y - 8}" font-size="11" text-anchor="middle">{cost} ({size})</text>'
    )


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """Return the powers of ten around some values, at least one apart."""
    logs = [log10(max(each, 1e-9)) for each in values]
    low = floor(min(logs))
    return low, max(low + 1, ceil(max(logs)))


def _share(value: float, decades: tuple[int, int]) -> float:
    low, high = decades
    return (log10(max(value, 1e-9)) - low) / (high - low)
