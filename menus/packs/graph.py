"""The chart of a pack: what a subscriber can come to on a channel, and the moves between."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from menus.machine.screen import Node
from menus.machine.transitions_table import BY_RULES, HOME, RESUME, forward
from menus.packs.graph_checks import reachable
from menus.packs.loader import Draft

Form = Literal["screen", "input", "proof", "step", "outcome"]
"""Screens that ask or tell, inputs, what asks for a proof, steps that act, and last words."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One node of the chart."""

    name: str
    form: Form
    needs: str
    """The proof it needs; `none` for none."""


@dataclass(frozen=True, slots=True)
class Way:
    """One move: a key, an input, an outcome, a proof that is asked first, or where a proof leads on."""

    origin: str
    target: str
    label: str
    gate: bool = False
    """Does it only lead through a proof?"""


@dataclass(frozen=True, slots=True)
class Chart:
    """The map of one channel of one pack revision."""

    operator: str
    channel: str
    revision: str
    spots: tuple[Spot, ...]
    ways: tuple[Way, ...]


def chart(draft: Draft, channel: str) -> Chart:
    """Draw a pack up. The nodes are those the machine can reach on this channel."""
    names = reachable(draft, channel)
    provers = {to for to in draft.form.gates.values() if to in names}
    spots = tuple(
        Spot(name, _form(node, provers), node.needs) for name, node in draft.nodes.items() if name in names
    )
    ways = dict.fromkeys(way for name in draft.nodes if name in names for way in _ways(draft, name, channel))
    return Chart(draft.form.name, channel, draft.revision, spots, tuple(ways))


def _form(node: Node, provers: set[str]) -> Form:
    if node.name in provers or node.secret or RESUME in node.on.values():
        return "proof"
    if node.closes:
        return "outcome"
    return "step" if node.kind == "step" else "input" if node.kind == "input" else "screen"


def _ways(draft: Draft, name: str, channel: str) -> Iterator[Way]:
    gates = draft.form.gates
    for trigger, origin, target in forward(draft.nodes[name]):
        if " " in trigger and not trigger.startswith(f"{channel} "):
            continue
        yield Way(origin, target, trigger.removeprefix(f"{channel} "))
        needs = draft.nodes[target].needs
        asked = set(draft.form.rules.proof.values()) if needs in BY_RULES else {needs}
        for proof in sorted(asked & gates.keys()):
            yield Way(origin, gates[proof], f"needs {proof}", gate=True)
    if name == HOME and channel == "sms":
        yield from _keyword_ways(draft)


def _keyword_ways(draft: Draft) -> Iterator[Way]:
    form = draft.keywords.form
    for keyword in form.keywords:
        yield Way(HOME, keyword.to, keyword.words[0])
        if keyword.otherwise:
            yield Way(HOME, keyword.otherwise, f"{keyword.words[0]} and anything else")
    if form.password:
        yield Way(HOME, form.password.to, "password")
    yield Way(HOME, form.otherwise, "anything else")
