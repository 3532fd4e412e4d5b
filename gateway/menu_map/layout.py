"""The layout of a chart: a tree from left to right, each screen beside the one that leads to it first."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from menus.machine.transitions_table import HOME
from menus.packs.graph import Chart, Way

HOUSE = "house."
"""Screens of the house are led to from nearly everywhere: they stand apart, and only keys to them are drawn."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each node stands: column and row, the row in halves where it is between two."""

    places: Mapping[str, tuple[int, float]]
    drawn: tuple[Way, ...]
    """The moves that are drawn as lines, several between the same two as one."""
    tree: frozenset[tuple[str, str]]
    """The moves that hang a node where it stands."""
    rows: int
    columns: int


@dataclass(slots=True)
class _Pen:
    """What has been placed so far."""

    children: Mapping[str, list[str]]
    places: dict[str, tuple[int, float]] = field(default_factory=dict)
    row: int = 0

    def place(self, name: str, column: int) -> float:
        """A node in the middle of its children's rows; one without children takes a row of its own."""
        rows = [self.place(child, column + 1) for child in self.children[name]]
        if not rows:
            rows, self.row = [float(self.row)], self.row + 1
        middle = (rows[0] + rows[-1]) / 2
        self.places[name] = column, middle
        return middle


def layout(chart: Chart) -> Layout:
    """Place every node of a chart."""
    names = [spot.name for spot in chart.spots]
    drawn = _merged(way for way in chart.ways if not way.gate and not _common(way, chart))
    roots, children = _forest(names, drawn)
    pen = _Pen(children)
    apart = [root for root in roots if root.startswith(HOUSE) and not children[root]]
    for root in roots:
        if root not in apart:
            pen.place(root, 0)
    columns = 1 + max(column for column, _ in pen.places.values())
    for index, name in enumerate(apart):
        pen.places[name] = index % columns, pen.row + 0.5 + index // columns
    rows = pen.row + 1 + -(-len(apart) // columns)
    tree = frozenset((name, child) for name, below in children.items() for child in below)
    return Layout(pen.places, drawn, tree, rows, columns)


def _common(way: Way, chart: Chart) -> bool:
    """An outcome that leads to the house: refusals, apologies and promises every step has."""
    return way.target.startswith(HOUSE) and not way.label.isdigit()


def _merged(ways: Iterable[Way]) -> tuple[Way, ...]:
    labels: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        labels.setdefault((way.origin, way.target), []).append(way.label)
    return tuple(Way(origin, target, ", ".join(told)) for (origin, target), told in labels.items())


def _forest(names: list[str], drawn: Iterable[Way]) -> tuple[list[str], Mapping[str, list[str]]]:
    """The first way that leads to a node makes it a child; what nothing leads to is a root."""
    onward: dict[str, list[str]] = {name: [] for name in names}
    led = set()
    for way in drawn:
        onward[way.origin].append(way.target)
        led.add(way.target)
    roots = [HOME, *(name for name in names if name not in led and name != HOME)]
    children: dict[str, list[str]] = {name: [] for name in names}
    seen: set[str] = set()
    found = [root for root in [*roots, *names] if _grow(root, onward, children, seen)]
    return found, children


def _grow(
    root: str, onward: Mapping[str, list[str]], children: Mapping[str, list[str]], seen: set[str]
) -> bool:
    """Breadth first, so that a node hangs where the fewest keys lead to it; False when it hangs already."""
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
