"""Walk graph: which answers a screen takes on a channel, and how far each leads from a node."""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.dialogs.pack_transitions import PackOnChannel
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import HOME, RESUME, outgoing_edges
from menus.packfile.schema import AcceptForm, KeywordForm

PICK_KEY = "1"
"""Key of the first row of a list."""
GATE_COST = 9.0
"""Cost of a way by a proof: most callers have it already, and are not asked."""


@dataclass(frozen=True, slots=True)
class WalkMove:
    """An answer, or a way into the menus, and the node it leads to if no proof is missing."""

    trigger: str
    target: str
    key: str = ""
    """The keys or words to send, if they are always the same."""
    accept: AcceptForm | None = None
    """What the screen takes, where a value is to be chosen."""
    takes: str = ""
    """What follows a keyword."""


@dataclass
class WalkGraph:
    """The screens and steps of a pack on one channel, with the moves between them."""

    pack: PackOnChannel
    predecessors: dict[str, dict[str, float]] = field(init=False, repr=False)
    """By node: the nodes before it, each with what the way from it costs."""

    def __post_init__(self) -> None:
        self.predecessors = defaultdict(dict)
        for node in self.nodes.values():
            for target, cost in self._successors(node):
                known = self.predecessors[target].get(node.name, math.inf)
                self.predecessors[target][node.name] = min(cost, known)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The pack's nodes by name."""
        return self.pack.pack_draft.nodes

    def moves_from(self, name: str) -> list[WalkMove]:
        """Return the answers that a screen takes, the way home included."""
        node, home = self.nodes[name], SURFACES[self.pack.channel].home
        moves = list(self._own_moves(node))
        return [*moves, WalkMove("home", HOME, home)] if home and not node.is_final else moves

    def entries(self) -> list[WalkMove]:
        """Return the ways into the menus: the keywords of SMS, the first screen otherwise."""
        if self.pack.channel != "sms":
            return [WalkMove("", HOME)]
        table = self.pack.pack_draft.keywords.config
        keywords = [move for keyword in table.keywords for move in _keyword_moves(keyword)]
        password = [WalkMove("", table.password.to, takes="password")] if table.password else []
        return [*keywords, *password, WalkMove("", table.otherwise, "?")]

    def distances_to(self, origin: str) -> Mapping[str, float]:
        """Return what the cheapest way from each node to this one costs, in answers; infinite for none."""
        found: dict[str, float] = defaultdict(lambda: math.inf)
        pending = [(0.0, origin)]
        while pending:
            cost, name = heapq.heappop(pending)
            if name in found:
                continue
            found[name] = cost
            for before, more in self.predecessors[name].items():
                heapq.heappush(pending, (cost + more, before))
        return found

    def nodes_entered(self, target: str) -> Iterator[tuple[str, float]]:
        """Yield where a move to a node may arrive, with the cost: there, or where its proof is asked."""
        yield target, 1.0
        yield from ((gate, GATE_COST) for gate in self.pack.gate_nodes(self.nodes[target]))

    def resumed_nodes(self) -> Iterator[str]:
        """Yield the nodes that a proof may lead on to."""
        return (node.name for node in self.nodes.values() if node.needs != "none")

    def _own_moves(self, node: Node) -> Iterator[WalkMove]:
        channel = self.pack.channel
        for trigger, _, target in outgoing_edges(node):
            head, _, key = trigger.rpartition(" ")
            if trigger == "pick":
                yield WalkMove(trigger, target, PICK_KEY)
            elif key == "typed" and head in ("", channel):
                yield WalkMove(trigger, target, accept=node.accept)
            elif head == channel:
                yield WalkMove(trigger, target, key)

    def _successors(self, node: Node) -> Iterator[tuple[str, float]]:
        targets = [move.target for move in self.moves_from(node.name)] if node.is_waiting else []
        for target in (*targets, *node.on.values()):
            if target == RESUME:
                yield from ((name, 1.0) for name in self.resumed_nodes())
            else:
                yield from self.nodes_entered(target)


def _keyword_moves(keyword: KeywordForm) -> Iterator[WalkMove]:
    """Yield the move of a keyword, and the one for an argument it does not take."""
    words = keyword.words[0]
    yield WalkMove("", keyword.to, words, takes=keyword.takes or "")
    if keyword.otherwise:
        yield WalkMove("", keyword.otherwise, f"{words} ?")
