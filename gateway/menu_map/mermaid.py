"""Mermaid writer of a menu graph, which many wikis and repositories render."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from menus.packs.graph import Chart, Form, Spot, Way

SHAPES: Mapping[Form, tuple[str, str]] = {
    "screen": ("[", "]"),
    "input": ("[/", "/]"),
    "proof": ("{{", "}}"),
    "step": ("([", "])"),
    "outcome": ("((", "))"),
}
STYLES: Mapping[str, str] = {
    "screen": "fill:#e8f0fe,stroke:#3367d6",
    "input": "fill:#e6f4ea,stroke:#188038",
    "proof": "fill:#fef7e0,stroke:#b06000",
    "step": "fill:#f1f3f4,stroke:#5f6368",
    "outcome": "fill:#fce8e6,stroke:#c5221f",
    "passed": "stroke:#d01884,stroke-width:4px",
}


def draw(chart: Chart, path: Sequence[str] = ()) -> str:
    """Return a Mermaid flowchart; proof redirects are dashed, the dialog's path is thick."""
    path_edges = frozenset(pairwise(path))
    node_names = {node.name for node in chart.spots}
    lines = [f"%% {chart.operator} on {chart.channel}, revision {chart.revision}", "flowchart LR"]
    lines += [f"  {_spot(node)}" for node in chart.spots]
    lines += [f"  {_way(edge, path_edges)}" for edge in chart.ways]
    lines += [f"  classDef {name} {style}" for name, style in STYLES.items()]
    lines += [f"  {line}" for line in _passed(name for name in dict.fromkeys(path) if name in node_names)]
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    """Return a Mermaid node id: dots are not allowed and `end` is reserved."""
    return "n_" + name.replace(".", "__")


def _spot(spot: Spot) -> str:
    opening, closing = SHAPES[spot.form]
    return f'{_id(spot.name)}{opening}"{spot.name}"{closing}:::{spot.form}'


def _way(way: Way, passed: frozenset[tuple[str, str]]) -> str:
    arrow = "-.->" if way.gate else "==>" if (way.origin, way.target) in passed else "-->"
    return f'{_id(way.origin)} {arrow}|"{way.label.replace(chr(34), "")}"| {_id(way.target)}'


def _passed(names: Iterator[str]) -> Iterator[str]:
    yield from (f"class {_id(name)} passed" for name in names)
