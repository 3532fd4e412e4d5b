"""Tree layout of a menu graph, left to right; each node beside the first that leads to it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from menus.machine.transitions_table import HOME
from menus.packs.graph import GraphEdge, MenuGraph

SHARED_PREFIX = "house."
"""Prefix of shared screens, drawn apart: nearly all screens lead there; only keys to them are drawn."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Position of each node: column and row; the row is a half between two children."""

    positions: Mapping[str, tuple[int, float]]
    edges: tuple[GraphEdge, ...]
    """Edges drawn as lines; parallel edges are merged into one."""
    tree_edges: frozenset[tuple[str, str]]
    """Edges that determine a node's position."""
    rows: int
    columns: int


@dataclass(slots=True)
class _TreePlacer:
    """Assigns rows and columns to the nodes of a tree."""

    children: Mapping[str, list[str]]
    positions: dict[str, tuple[int, float]] = field(default_factory=dict)
    next_row: int = 0

    def place_subtree(self, name: str, column: int) -> float:
        """Place a subtree and return its row: the middle of its children, or a new row for a leaf."""
        rows = [self.place_subtree(child, column + 1) for child in self.children[name]]
        if not rows:
            rows, self.next_row = [float(self.next_row)], self.next_row + 1
        middle = (rows[0] + rows[-1]) / 2
        self.positions[name] = column, middle
        return middle


def place_nodes(graph: MenuGraph) -> Layout:
    """Place every node of a graph."""
    names = [node.name for node in graph.nodes]
    edges = _merge_edges(edge for edge in graph.edges if not edge.is_gate and not _is_common(edge))
    roots, children = _build_forest(names, edges)
    placer = _TreePlacer(children)
    detached = [root for root in roots if root.startswith(SHARED_PREFIX) and not children[root]]
    for root in roots:
        if root not in detached:
            placer.place_subtree(root, 0)
    columns = 1 + max(column for column, _ in placer.positions.values())
    for index, name in enumerate(detached):
        placer.positions[name] = index % columns, placer.next_row + 0.5 + index // columns
    rows = placer.next_row + 1 + -(-len(detached) // columns)
    tree_edges = frozenset((name, child) for name, below in children.items() for child in below)
    return Layout(placer.positions, edges, tree_edges, rows, columns)


def _is_common(edge: GraphEdge) -> bool:
    """Return whether an edge is an outcome common to all steps: refusal, apology or promise."""
    return edge.target.startswith(SHARED_PREFIX) and not edge.label.isdigit()


def _merge_edges(edges: Iterable[GraphEdge]) -> tuple[GraphEdge, ...]:
    labels: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        labels.setdefault((edge.origin, edge.target), []).append(edge.label)
    return tuple(GraphEdge(origin, target, ", ".join(texts)) for (origin, target), texts in labels.items())


def _build_forest(names: list[str], edges: Iterable[GraphEdge]) -> tuple[list[str], Mapping[str, list[str]]]:
    """Return roots and children; a node's first incoming edge sets its parent, none makes it a root."""
    targets: dict[str, list[str]] = {name: [] for name in names}
    has_parent = set()
    for edge in edges:
        targets[edge.origin].append(edge.target)
        has_parent.add(edge.target)
    roots = [HOME, *(name for name in names if name not in has_parent and name != HOME)]
    children: dict[str, list[str]] = {name: [] for name in names}
    visited: set[str] = set()
    tree_roots = [root for root in [*roots, *names] if _grow_tree(root, targets, children, visited)]
    return tree_roots, children


def _grow_tree(
    root: str, targets: Mapping[str, list[str]], children: Mapping[str, list[str]], visited: set[str]
) -> bool:
    """Add a root's nodes breadth first, each by its shortest way; False when it is in a tree already."""
    if root in visited:
        return False
    visited.add(root)
    todo = deque([root])
    while todo:
        name = todo.popleft()
        for target in targets[name]:
            if target not in visited:
                visited.add(target)
                children[name].append(target)
                todo.append(target)
    return True
