"""Tree layout of a menu graph, left to right; each node beside the first that leads to it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from menus.machine.transitions_table import HOME
from menus.packs.graph import Chart, Way

HOUSE = "house."
"""Prefix of shared screens, drawn apart: nearly all screens lead there; only keys to them are drawn."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Position of each node: column and row; the row is a half between two children."""

    places: Mapping[str, tuple[int, float]]
    drawn: tuple[Way, ...]
    """Edges drawn as lines; parallel edges are merged into one."""
    tree: frozenset[tuple[str, str]]
    """Edges that determine a node's position."""
    rows: int
    columns: int


@dataclass(slots=True)
class _Pen:
    """Assigns rows and columns to the nodes of a tree."""

    children: Mapping[str, list[str]]
    places: dict[str, tuple[int, float]] = field(default_factory=dict)
    row: int = 0

    def place(self, name: str, column: int) -> float:
        """Place a subtree and return its row: the middle of its children, or a new row for a leaf."""
        rows = [self.place(child, column + 1) for child in self.children[name]]
        if not rows:
            rows, self.row = [float(self.row)], self.row + 1
        middle = (rows[0] + rows[-1]) / 2
        self.places[name] = column, middle
        return middle


def layout(chart: Chart) -> Layout:
    """Place every node of a graph."""
    names = [node.name for node in chart.spots]
    edges = _merged(edge for edge in chart.ways if not edge.gate and not _common(edge, chart))
    roots, children = _forest(names, edges)
    placer = _Pen(children)
    detached = [root for root in roots if root.startswith(HOUSE) and not children[root]]
    for root in roots:
        if root not in detached:
            placer.place(root, 0)
    columns = 1 + max(column for column, _ in placer.places.values())
    for index, name in enumerate(detached):
        placer.places[name] = index % columns, placer.row + 0.5 + index // columns
    rows = placer.row + 1 + -(-len(detached) // columns)
    tree_edges = frozenset((name, child) for name, below in children.items() for child in below)
    return Layout(placer.places, edges, tree_edges, rows, columns)


def _common(way: Way, chart: Chart) -> bool:
    """Return whether an edge is an outcome common to all steps: refusal, apology or promise."""
    return way.target.startswith(HOUSE) and not way.label.isdigit()


def _merged(ways: Iterable[Way]) -> tuple[Way, ...]:
    labels: dict[tuple[str, str], list[str]] = {}
    for edge in ways:
        labels.setdefault((edge.origin, edge.target), []).append(edge.label)
    return tuple(Way(origin, target, ", ".join(texts)) for (origin, target), texts in labels.items())


def _forest(names: list[str], drawn: Iterable[Way]) -> tuple[list[str], Mapping[str, list[str]]]:
    """Return roots and children; a node's first incoming edge sets its parent, none makes it a root."""
    targets: dict[str, list[str]] = {name: [] for name in names}
    has_parent = set()
    for edge in drawn:
        targets[edge.origin].append(edge.target)
        has_parent.add(edge.target)
    roots = [HOME, *(name for name in names if name not in has_parent and name != HOME)]
    children: dict[str, list[str]] = {name: [] for name in names}
    visited: set[str] = set()
    tree_roots = [root for root in [*roots, *names] if _grow(root, targets, children, visited)]
    return tree_roots, children


def _grow(
    root: str, onward: Mapping[str, list[str]], children: Mapping[str, list[str]], seen: set[str]
) -> bool:
    """Add a root's nodes breadth first, each by its shortest way; False when it is in a tree already."""
    if root in seen:
        return False
    seen.add(root)
    todo = deque([root])
    while todo:
        name = todo.popleft()
        for target in onward[name]:
            if target not in seen:
                seen.add(target)
                children[name].append(target)
                todo.append(target)
    return True
