"""SVG writer of a menu graph; plain attributes and no script, so that any page may embed it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from gateway.menu_map.layout import Layout, place_nodes
from menus.packs.graph import GraphEdge, GraphNode, MenuGraph, NodeRole

NODE_WIDTH, NODE_HEIGHT, COLUMN_STEP, ROW_STEP, MARGIN, HEADING_HEIGHT = 236, 30, 332, 42, 20, 84
"""Pixels: node width and height, distance of columns and rows, margin, height of the heading."""
LEGEND_STEP = 100
"""Pixels between two entries of the legend."""
NODE_LETTER_WIDTH, LABEL_LETTER_WIDTH = 7, 6
"""Average letter width in pixels, in a node and on an edge."""
NODE_WORDS_LETTERS = 40
"""Most letters of a screen's words in its box."""
MAX_LABEL_LETTERS = (COLUMN_STEP - NODE_WIDTH - 6) // LABEL_LETTER_WIDTH
"""Letters that fit on an edge."""
FORM_COLOURS: Mapping[NodeRole, tuple[str, str]] = {
    "screen": ("#e8f0fe", "#3367d6"),
    "input": ("#e6f4ea", "#188038"),
    "proof": ("#fef7e0", "#b06000"),
    "step": ("#f1f3f4", "#5f6368"),
    "outcome": ("#d7f0dd", "#0b5728"),
    "failure": ("#fce8e6", "#c5221f"),
}
CORNER_RADIUS: Mapping[NodeRole, int] = {
    "screen": 6,
    "input": 6,
    "proof": 6,
    "step": 15,
    "outcome": 0,
    "failure": 0,
}
TEXT_COLOUR, TREE_COLOUR, EDGE_COLOUR, PATH_COLOUR = "#202124", "#5f6672", "#8a9099", "#d01884"
"""Lines have a contrast of 3:1 and more to the white ground (WCAG 2.2, 1.4.11)."""
FONT_ATTRIBUTE = "font-family=\"system-ui, 'DejaVu Sans', sans-serif\""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over the graph: a path and notes on nodes."""

    path: Sequence[str] = ()
    """Visited nodes in order; a name that is not in the graph separates two conversations."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Short text under a node's name, above its box if it also has words, by node."""
    words: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What a node shows the subscriber, by node; its beginning is written under the node's name."""


def draw_graph(graph: MenuGraph, overlay: Overlay | None = None) -> str:
    """Return the SVG document."""
    plan, overlay = place_nodes(graph), overlay or Overlay()
    width = MARGIN * 2 + (plan.columns - 1) * COLUMN_STEP + NODE_WIDTH
    height = MARGIN * 2 + HEADING_HEIGHT + plan.rows * ROW_STEP
    title = escape(f"{graph.operator} on {graph.channel}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" {FONT_ATTRIBUTE} font-size="12">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{MARGIN}" y="34" font-size="18" font-weight="bold" fill="{TEXT_COLOUR}">{title}</text>',
            *_draw_legend(),
            *(_draw_edge(plan, edge) for edge in plan.edges),
            *_draw_path(plan, overlay.path),
            *(_draw_label(plan, edge) for edge in plan.edges if (edge.origin, edge.target) in plan.tree_edges),
            *(_draw_node(graph, plan, node, overlay) for node in graph.nodes),
            "</svg>\n",
        ]
    )


def _node_corner(plan: Layout, name: str) -> tuple[float, float]:
    """Return the upper left corner of a node."""
    column, row = plan.positions[name]
    return MARGIN + column * COLUMN_STEP, MARGIN + HEADING_HEIGHT + row * ROW_STEP


def _draw_legend() -> Iterator[str]:
    for index, (form, (fill, line)) in enumerate(FORM_COLOURS.items()):
        x = MARGIN + index * LEGEND_STEP
        box = f'x="{x}" y="52" width="22" height="16" rx="{CORNER_RADIUS[form] // 2}"'
        yield f'<rect {box} fill="{fill}" stroke="{line}"/>'
        yield f'<text x="{x + 28}" y="65" fill="{TEXT_COLOUR}">{form}</text>'
    x = MARGIN + len(FORM_COLOURS) * LEGEND_STEP
    yield f'<text x="{x}" y="65" fill="{TEXT_COLOUR}">◆ asks for a proof first</text>'


def _draw_edge(plan: Layout, edge: GraphEdge) -> str:
    """Return an edge's line; edges of the tree are darker than the others."""
    ink = TREE_COLOUR if (edge.origin, edge.target) in plan.tree_edges else EDGE_COLOUR
    return f'<path d="{_edge_curve(plan, edge.origin, edge.target)}" fill="none" stroke="{ink}"/>'


def _draw_label(plan: Layout, edge: GraphEdge) -> str:
    """Return an edge's label beside its target; a white outline keeps crossing lines off it."""
    x1, y1 = _node_corner(plan, edge.target)
    words = escape(_shorten(edge.label, MAX_LABEL_LETTERS))
    place = (
        f'x="{x1 - 6:g}" y="{y1 + NODE_HEIGHT / 2 - 4:g}" text-anchor="end" font-size="10" fill="{TEXT_COLOUR}"'
    )
    return f'<text {place} paint-order="stroke" stroke="#ffffff" stroke-width="3">{words}</text>'


def _edge_curve(plan: Layout, origin: str, target: str) -> str:
    """Return an SVG path from the right of one node to the left of another; below both if backwards."""
    (x, y), (x1, y1) = _node_corner(plan, origin), _node_corner(plan, target)
    start, end, bend = (x + NODE_WIDTH, y + NODE_HEIGHT / 2), (x1, y1 + NODE_HEIGHT / 2), 28.0
    if x1 <= x:
        start, end, bend = (x + NODE_WIDTH / 2, y + NODE_HEIGHT), (x1 + NODE_WIDTH / 2, y1 + NODE_HEIGHT), 0.0
        drop = max(y, y1) + NODE_HEIGHT + 22
        return f"M{start[0]:g},{start[1]:g} C{start[0]:g},{drop:g} {end[0]:g},{drop:g} {end[0]:g},{end[1]:g}"
    return (
        f"M{start[0]:g},{start[1]:g} C{start[0] + bend:g},{start[1]:g}"
        f" {end[0] - bend:g},{end[1]:g} {end[0]:g},{end[1]:g}"
    )


def _draw_path(plan: Layout, path: Sequence[str]) -> Iterator[str]:
    """Yield the edges of a dialog's path, also those drawn nowhere else (proofs, shared screens)."""
    for origin, target in dict.fromkeys(pairwise(path)):
        if origin != target and {origin, target} <= plan.positions.keys():
            curve = _edge_curve(plan, origin, target)
            yield f'<path data-path="1" d="{curve}" fill="none" stroke="{PATH_COLOUR}" stroke-width="3"/>'


def _draw_node(graph: MenuGraph, plan: Layout, node: GraphNode, overlay: Overlay) -> str:
    (x, y), (fill, line) = _node_corner(plan, node.name), FORM_COLOURS[node.role]
    on_path = node.name in overlay.path
    about = "; ".join(f"{edge.label}: {edge.target}" for edge in graph.edges if edge.origin == node.name)
    shown = overlay.words.get(node.name, "")
    title = "\n".join(filter(None, (f"{node.name} ({node.role}) {about}", shown)))
    name = escape(node.name)
    return (
        f'<g id="{name}" data-node="{name}" data-form="{node.role}"><title>{escape(title)}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" '
        f'rx="{CORNER_RADIUS[node.role]}" fill="{fill}"'
        f' stroke="{PATH_COLOUR if on_path else line}" stroke-width="{3 if on_path else 1.2}"/>'
        f"{''.join(_draw_node_texts(node, overlay, x + NODE_WIDTH / 2, y))}</g>"
    )


def _draw_node_texts(node: GraphNode, overlay: Overlay, middle: float, y: float) -> Iterator[str]:
    """Yield the node's name, and below it its words or its note; with both the note stands above the box."""
    note, shown = overlay.notes.get(node.name, ""), " ".join(overlay.words.get(node.name, "").split())
    badge = "◆ " if node.needs != "none" else ""
    yield _node_text(middle, y + (13 if note or shown else 19), "", f"{badge}{node.name}")
    if shown:
        yield _node_text(middle, y + 25, ' font-size="10"', _shorten(shown, NODE_WORDS_LETTERS))
    if note:
        yield _node_text(middle, y - 2 if shown else y + 25, ' font-size="9"', note)


def _node_text(middle: float, y: float, size: str, text: str) -> str:
    return (
        f'<text x="{middle:g}" y="{y:g}"{size} text-anchor="middle" fill="{TEXT_COLOUR}">{escape(text)}</text>'
    )


def _shorten(text: str, most: int) -> str:
    """Return a text's first letters, an ellipsis for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
