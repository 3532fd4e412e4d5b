"""Menu graph of a pack: the nodes a subscriber can reach on a channel and the edges between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from menus.machine.screen import Node
from menus.machine.transitions_table import BY_RULES, HOME, RESUME, forward
from menus.packs.graph_checks import reachable
from menus.packs.loader import Draft

Form = Literal["screen", "input", "proof", "step", "outcome"]
"""Role of a node: choice or message, input, asks for or verifies a proof, runs an action, ends the session."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One node of the menu graph."""

    name: str
    form: Form
    needs: str
    """Proof it needs; `none` for none."""


@dataclass(frozen=True, slots=True)
class Way:
    """One edge: a key, an input, an outcome, a keyword, or the detour to a proof."""

    origin: str
    target: str
    label: str
    gate: bool = False
    """Whether it is the detour to the node that asks for a proof."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Nodes and edges of one channel of one pack revision."""

    operator: str
    channel: str
    revision: str
    spots: tuple[Spot, ...]
    ways: tuple[Way, ...]


def chart(draft: Draft, channel: str) -> Chart:
    """Build the graph of a pack from the nodes that can be reached on the channel."""
    names = reachable(draft, channel)
    gates = {to for to in draft.form.gates.values() if to in names}
    nodes = tuple(
        Spot(name, _form(node, gates), node.needs) for name, node in draft.nodes.items() if name in names
    )
    edges = dict.fromkeys(edge for name in draft.nodes if name in names for edge in _ways(draft, name, channel))
    return Chart(draft.form.name, channel, draft.revision, nodes, tuple(edges))


def _form(node: Node, provers: set[str]) -> Form:
    """Return the node's role; `gates` holds the nodes that ask for a proof."""
    if node.name in provers or node.secret or RESUME in node.on.values():
        return "proof"
    if node.closes:
        return "outcome"
    return "step" if node.kind == "step" else "input" if node.kind == "input" else "screen"


def _ways(draft: Draft, name: str, channel: str) -> Iterator[Way]:
    """Yield the edges that leave a node, and at the SMS home those of the keywords."""
    gates = draft.form.gates
    for trigger, origin, target in forward(draft.nodes[name]):
        if " " in trigger and not trigger.startswith(f"{channel} "):
            continue
        yield Way(origin, target, trigger.removeprefix(f"{channel} "))
        needs = draft.nodes[target].needs
        proofs = set(draft.form.rules.proof.values()) if needs in BY_RULES else {needs}
        for proof in sorted(proofs & gates.keys()):
            yield Way(origin, gates[proof], f"needs {proof}", gate=True)
    if name == HOME and channel == "sms":
        yield from _keyword_ways(draft)


def _keyword_ways(draft: Draft) -> Iterator[Way]:
    file = draft.keywords.form
    for keyword in file.keywords:
        yield Way(HOME, keyword.to, keyword.words[0])
        if keyword.otherwise:
            yield Way(HOME, keyword.otherwise, f"{keyword.words[0]} and anything else")
    if file.password:
        yield Way(HOME, file.password.to, "password")
    yield Way(HOME, file.otherwise, "anything else")
