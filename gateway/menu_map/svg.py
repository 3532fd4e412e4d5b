"""SVG writer of a menu graph; plain attributes and no script, so that any page may embed it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from gateway.menu_map.layout import Layout, layout
from menus.packs.graph import Chart, Form, Spot, Way

WIDE, HIGH, COLUMN, ROW, EDGE, HEAD = 236, 30, 332, 42, 20, 84
"""Pixels: node width and height, distance of columns and rows, margin, height of the heading."""
LETTER, SMALL = 7, 6
"""Average letter width in pixels, in a node and on an edge."""
LABEL = (COLUMN - WIDE - 6) // SMALL
"""Letters that fit on an edge."""
COLOURS: Mapping[Form, tuple[str, str]] = {
    "screen": ("#e8f0fe", "#3367d6"),
    "input": ("#e6f4ea", "#188038"),
    "proof": ("#fef7e0", "#b06000"),
    "step": ("#f1f3f4", "#5f6368"),
    "outcome": ("#fce8e6", "#c5221f"),
}
ROUND: Mapping[Form, int] = {"screen": 6, "input": 6, "proof": 6, "step": 15, "outcome": 0}
INK, FAINT, FAINTER, PATH = "#202124", "#8a9099", "#c9ced5", "#d01884"
FONT = "font-family=\"system-ui, 'DejaVu Sans', sans-serif\""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn over the graph: a path and notes on nodes."""

    path: Sequence[str] = ()
    """Visited nodes in order; a name that is not in the graph separates two conversations."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Short text under a node's name, by node."""


def draw(chart: Chart, marks: Marks | None = None) -> str:
    """Return the SVG document."""
    plan, marks = layout(chart), marks or Marks()
    width = EDGE * 2 + (plan.columns - 1) * COLUMN + WIDE
    height = EDGE * 2 + HEAD + plan.rows * ROW
    title = escape(f"{chart.operator} on {chart.channel}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" {FONT} font-size="12">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{EDGE}" y="34" font-size="18" font-weight="bold" fill="{INK}">{title}</text>',
            *_legend(),
            *(_way(plan, edge) for edge in plan.drawn),
            *_path(plan, marks.path),
            *(_label(plan, edge) for edge in plan.drawn if (edge.origin, edge.target) in plan.tree),
            *(_spot(chart, plan, node, marks) for node in chart.spots),
            "</svg>\n",
        ]
    )


def _at(plan: Layout, name: str) -> tuple[float, float]:
    """Return the upper left corner of a node."""
    column, row = plan.places[name]
    return EDGE + column * COLUMN, EDGE + HEAD + row * ROW


def _legend() -> Iterator[str]:
    for index, (form, (fill, line)) in enumerate(COLOURS.items()):
        x = EDGE + index * 110
        box = f'x="{x}" y="52" width="22" height="16" rx="{ROUND[form] // 2}"'
        yield f'<rect {box} fill="{fill}" stroke="{line}"/>'
        yield f'<text x="{x + 28}" y="65" fill="{INK}">{form}</text>'
    yield f'<text x="{EDGE + 5 * 110}" y="65" fill="{INK}">◆ asks for a proof first</text>'


def _way(plan: Layout, way: Way) -> str:
    """Return an edge's line; edges of the tree are darker than the others."""
    ink = FAINT if (way.origin, way.target) in plan.tree else FAINTER
    return f'<path d="{_curve(plan, way.origin, way.target)}" fill="none" stroke="{ink}"/>'


def _label(plan: Layout, way: Way) -> str:
    """Return an edge's label beside its target; a white outline keeps crossing lines off it."""
    x1, y1 = _at(plan, way.target)
    words = escape(way.label if len(way.label) <= LABEL else f"{way.label[: LABEL - 1]}…")
    place = f'x="{x1 - 6:g}" y="{y1 + HIGH / 2 - 4:g}" text-anchor="end" font-size="10" fill="{INK}"'
    return f'<text {place} paint-order="stroke" stroke="#ffffff" stroke-width="3">{words}</text>'


def _curve(plan: Layout, origin: str, target: str) -> str:
    """Return an SVG path from the right of one node to the left of another; below both if backwards."""
    (x, y), (x1, y1) = _at(plan, origin), _at(plan, target)
    start, end, bend = (x + WIDE, y + HIGH / 2), (x1, y1 + HIGH / 2), 28.0
    if x1 <= x:
        start, end, bend = (x + WIDE / 2, y + HIGH), (x1 + WIDE / 2, y1 + HIGH), 0.0
        drop = max(y, y1) + HIGH + 22
        return f"M{start[0]:g},{start[1]:g} C{start[0]:g},{drop:g} {end[0]:g},{drop:g} {end[0]:g},{end[1]:g}"
    return (
        f"M{start[0]:g},{start[1]:g} C{start[0] + bend:g},{start[1]:g}"
        f" {end[0] - bend:g},{end[1]:g} {end[0]:g},{end[1]:g}"
    )


def _path(plan: Layout, path: Sequence[str]) -> Iterator[str]:
    """Yield the edges of a dialog's path, also those drawn nowhere else (proofs, shared screens)."""
    for origin, target in dict.fromkeys(pairwise(path)):
        if origin != target and {origin, target} <= plan.places.keys():
            curve = _curve(plan, origin, target)
            yield f'<path data-path="1" d="{curve}" fill="none" stroke="{PATH}" stroke-width="3"/>'


def _spot(chart: Chart, plan: Layout, spot: Spot, marks: Marks) -> str:
    (x, y), (fill, line) = _at(plan, spot.name), COLOURS[spot.form]
    on_path = spot.name in marks.path
    note, badge = escape(marks.notes.get(spot.name, "")), "◆ " if spot.needs != "none" else ""
    name, middle = escape(spot.name), x + WIDE / 2
    about = escape("; ".join(f"{edge.label}: {edge.target}" for edge in chart.ways if edge.origin == spot.name))
    words = f'text-anchor="middle" fill="{INK}"'
    below = f'<text x="{middle:g}" y="{y + 25:g}" font-size="9" {words}>{note}</text>' if note else ""
    return (
        f'<g id="{name}" data-node="{name}" data-form="{spot.form}"><title>{name} ({spot.form}) {about}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{WIDE}" height="{HIGH}" rx="{ROUND[spot.form]}" fill="{fill}"'
        f' stroke="{PATH if on_path else line}" stroke-width="{3 if on_path else 1.2}"/>'
        f'<text x="{middle:g}" y="{y + (13 if note else 19):g}" {words}>{badge}{name}</text>{below}</g>'
    )
