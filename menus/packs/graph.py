"""Menu graph of a pack: the nodes a subscriber can reach on a channel and the edges between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from menus.machine.proof_rules import read_proof_rules
from menus.machine.screen import Node
from menus.machine.transitions_table import HOME, RESUME, outgoing_edges
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft

NodeRole = Literal["screen", "input", "proof", "step", "outcome", "failure"]
"""Role of a node: choice or message, input, asks for or verifies a proof, runs an action, ends the session as
asked, ends it because of another outcome than `ok`."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node of the menu graph."""

    name: str
    role: NodeRole
    needs: str
    """Proof it needs; `none` for none."""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One edge: a key, an input, an outcome, a keyword, or the detour to a proof."""

    origin: str
    target: str
    label: str
    is_gate: bool = False
    """Whether it is the detour to the node that asks for a proof."""


@dataclass(frozen=True, slots=True)
class MenuGraph:
    """Nodes and edges of one channel of one pack revision."""

    operator: str
    channel: str
    revision: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]


def build_menu_graph(draft: PackDraft, channel: str) -> MenuGraph:
    """Build the graph of a pack from the nodes that can be reached on the channel."""
    names = reachable_nodes(draft, channel)
    gates = {to for to in draft.config.gates.values() if to in names}
    edges = dict.fromkeys(
        edge for name in draft.nodes if name in names for edge in _node_edges(draft, name, channel)
    )
    wanted = {edge.target for edge in edges if _is_wanted(draft.nodes[edge.origin], edge.label)}
    nodes = tuple(
        GraphNode(name, _node_role(node, gates, wanted), node.needs)
        for name, node in draft.nodes.items()
        if name in names
    )
    return MenuGraph(draft.config.name, channel, draft.revision, nodes, tuple(edges))


def _is_wanted(origin: Node, label: str) -> bool:
    """Return whether an edge is a subscriber's choice, or the success of a step."""
    return origin.kind != "step" or label == "ok"


def _node_role(node: Node, gates: set[str], wanted: set[str]) -> NodeRole:
    """Return the node's role; `gates` holds the nodes that ask for a proof, `wanted` those come to as asked."""
    if node.name in gates or node.is_secret or RESUME in node.on.values():
        return "proof"
    if node.is_final:
        return "outcome" if node.name in wanted else "failure"
    return "step" if node.kind == "step" else "input" if node.kind == "input" else "screen"


def _node_edges(draft: PackDraft, name: str, channel: str) -> Iterator[GraphEdge]:
    """Yield the edges that leave a node, and at the SMS home those of the keywords."""
    rules = read_proof_rules(draft.config)
    for trigger, origin, target in outgoing_edges(draft.nodes[name]):
        if " " in trigger and not trigger.startswith(f"{channel} "):
            continue
        yield GraphEdge(origin, target, trigger.removeprefix(f"{channel} "))
        for proof, gate in sorted(rules.gates_by_proof(draft.nodes[target].needs).items()):
            if gate:
                yield GraphEdge(origin, gate, f"needs {proof}", is_gate=True)
    if name == HOME and channel == "sms":
        yield from _keyword_edges(draft)


def _keyword_edges(draft: PackDraft) -> Iterator[GraphEdge]:
    file = draft.keywords.config
    for keyword in file.keywords:
        yield GraphEdge(HOME, keyword.to, keyword.words[0])
        if keyword.otherwise:
            yield GraphEdge(HOME, keyword.otherwise, f"{keyword.words[0]} and anything else")
    if file.password:
        yield GraphEdge(HOME, file.password.to, "password")
    if file.code:
        yield GraphEdge(HOME, file.code.to, "code")
    if file.address:
        yield GraphEdge(HOME, file.address.to, "address")
        yield GraphEdge(HOME, file.address.otherwise, "broken address")
    yield GraphEdge(HOME, file.otherwise, "anything else")
