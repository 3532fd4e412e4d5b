"""Mermaid writer of a menu graph, which many wikis and repositories render."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from menus.packs.graph import GraphEdge, GraphNode, MenuGraph, NodeRole

NODE_SHAPES: Mapping[NodeRole, tuple[str, str]] = {
    "screen": ("[", "]"),
    "input": ("[/", "/]"),
    "proof": ("{{", "}}"),
    "step": ("([", "])"),
    "outcome": ("((", "))"),
    "failure": ("((", "))"),
}
CLASS_STYLES: Mapping[str, str] = {
    "screen": "fill:#e8f0fe,stroke:#3367d6",
    "input": "fill:#e6f4ea,stroke:#188038",
    "proof": "fill:#fef7e0,stroke:#b06000",
    "step": "fill:#f1f3f4,stroke:#5f6368",
    "outcome": "fill:#d7f0dd,stroke:#0b5728,stroke-width:2px",
    "failure": "fill:#fce8e6,stroke:#c5221f",
    "passed": "stroke:#d01884,stroke-width:4px",
}


def draw_graph(graph: MenuGraph, path: Sequence[str] = ()) -> str:
    """Return a Mermaid flowchart; proof redirects are dashed, the dialog's path is thick."""
    path_edges = frozenset(pairwise(path))
    node_names = {node.name for node in graph.nodes}
    lines = [f"%% {graph.operator} on {graph.channel}, revision {graph.revision}", "flowchart LR"]
    lines += [f"  {_node_line(node)}" for node in graph.nodes]
    lines += [f"  {_edge_line(edge, path_edges)}" for edge in graph.edges]
    lines += [f"  classDef {name} {style}" for name, style in CLASS_STYLES.items()]
    lines += [f"  {line}" for line in _path_classes(name for name in dict.fromkeys(path) if name in node_names)]
    return "\n".join(lines) + "\n"


def _node_id(name: str) -> str:
    """Return a Mermaid node id: dots are not allowed and `end` is reserved."""
    return "n_" + name.replace(".", "__")


def _node_line(node: GraphNode) -> str:
    opening, closing = NODE_SHAPES[node.role]
    return f'{_node_id(node.name)}{opening}"{node.name}"{closing}:::{node.role}'


def _edge_line(edge: GraphEdge, path_edges: frozenset[tuple[str, str]]) -> str:
    arrow = "-.->" if edge.is_gate else "==>" if (edge.origin, edge.target) in path_edges else "-->"
    return f'{_node_id(edge.origin)} {arrow}|"{edge.label.replace(chr(34), "")}"| {_node_id(edge.target)}'


def _path_classes(names: Iterator[str]) -> Iterator[str]:
    yield from (f"class {_node_id(name)} passed" for name in names)
