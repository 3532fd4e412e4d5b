"""State machine: the transition table of a pack, compiled once per revision with `transitions`.

The only module that imports `transitions`. The machine has no models: a session is a plain object on
which events are fired, so nothing is registered per session and no state can leak between sessions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from transitions import Machine, MachineError

from menus.machine.screen import Node, back_of
from menus.model.session import Session

RESUME = "resume"
"""Target of an outcome that resumes the node that waited for the proof."""

Condition = Callable[[Any], bool | None]
"""Guard condition of `transitions`: takes the event data, whose `model` is the session."""

HOME, LOST, BYE, AGENT = "home", "house.lost", "house.bye", "house.agent"
ALWAYS: Mapping[str, str] = {"home": HOME, "lost": LOST, "bye": BYE, "agent": AGENT}
"""Target by trigger of the moves that every screen has unless it ends the session."""

SATISFIES: Mapping[str, frozenset[str]] = {
    "line": frozenset({"line"}),
    "code": frozenset({"code"}),
    "password": frozenset({"password", "pin"}),
    "pin": frozenset({"pin", "password"}),
    "customer_code": frozenset({"customer_code"}),
    "secret": frozenset({"code", "password", "pin", "customer_code"}),
}
"""Proofs that meet each need. A trusted connection proves only the line, never a `secret`."""
BY_RULES = ("line", "secret")
"""Needs whose proof the pack's `rules.proof` names per kind of line."""


class NoMoveError(ValueError):
    """The transition table has no edge for this trigger from the current node."""


class Moves:
    """Transition table of one pack revision: fires triggers on sessions and lists the edges."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        gates: Mapping[str, str],
        proofs: Mapping[str, str],
        entries: Iterable[str] = (),
        vouched: Iterable[str] | None = None,
    ) -> None:
        """Compile the nodes to a machine.

        `gates`: node that asks for a proof, by proof. `proofs`: proof the rules name, by kind of line.
        `keyword_targets`: nodes a keyword may lead to from home. `trusted_kinds`: kinds of line that a
        trusted connection proves by itself; all by default.
        """
        self._nodes, self._gates, self._proofs = nodes, gates, proofs
        self._keyword_targets = sorted(set(entries))
        self._trusted_kinds = frozenset(proofs if vouched is None else vouched)
        self._machine = Machine(
            model=None,
            states=list(nodes),
            initial=None,
            auto_transitions=False,
            send_event=True,
            model_attribute="state",
        )
        self._open_edges: dict[tuple[str, str], tuple[str, str]] = {}
        for trigger, origin, target in self.edges():
            self._add(trigger, origin, target)
            self._open_edges.setdefault((trigger, origin), (self._nodes[target].needs, target))
        self._events = dict(self._machine.events)

    def fire(self, trigger: str, session: Session) -> None:
        """Move the session along a trigger's edge; NoTransitionError, and no move, if there is none.

        An edge whose need is met, as most are, is looked up in a dictionary: it is the first the machine would
        try, under the same rule. The machine, used where a proof is missing, takes 12 to 70 us a move.
        """
        needs, target = self._open_edges.get((trigger, session.state), ("", ""))
        if target and self.met(needs, session.kind, session.proofs):
            session.state = target
            return
        self.ask(trigger, session)

    def ask(self, trigger: str, session: Session) -> None:
        """Move the session with the machine itself; NoTransitionError when it has no edge."""
        event = self._events.get(trigger)
        if event is None:
            raise NoMoveError(trigger)
        try:
            event.trigger(session)
        except MachineError as error:
            raise NoMoveError(trigger) from error

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Yield every edge as (trigger, origin, target), without the detours to the gates."""
        for node in self._nodes.values():
            yield from forward(node)
        waiting = [node for node in self._nodes.values() if node.rests]
        for screen, previous in self._backs(waiting):
            yield f"back {previous}", screen, previous
        yield from (
            (trigger, node.name, target)
            for trigger, target in ALWAYS.items()
            for node in waiting
            if target in self._nodes and not node.closes
        )
        for target in self._keyword_targets:
            yield f"enter {target}", HOME, target
        for step, target in self._resumes():
            yield f"{RESUME} {target}", step, target

    def gate(self, needs: str, kind: str) -> str:
        """Return the node that asks a kind of line for the proof of a need; empty when there is none."""
        return self._gates.get(self._wanted(kind) if needs in BY_RULES else needs, "")

    def met(self, needs: str, kind: str, proofs: Iterable[str]) -> bool:
        """Return whether the proofs meet a need for a kind of line; `line` also accepts the rules' proof."""
        if needs == "none":
            return True
        sufficient = SATISFIES[needs]
        if needs == "line":
            by_connection = sufficient if kind in self._trusted_kinds or not kind else frozenset[str]()
            sufficient = by_connection | SATISFIES[self._wanted(kind)]
        return not sufficient.isdisjoint(proofs)

    def _wanted(self, kind: str) -> str:
        """Return the proof the rules name for a kind of line; that of the first kind when it is not known."""
        return self._proofs.get(kind, next(iter(self._proofs.values()), "line"))

    def _resumes(self) -> Iterator[tuple[str, str]]:
        """Yield (step that verifies a proof, node that needs a proof)."""
        targets = [node.name for node in self._nodes.values() if node.needs != "none"]
        verifiers = [node.name for node in self._nodes.values() if RESUME in node.on.values()]
        return ((verifier, target) for verifier in verifiers for target in targets)

    def _backs(self, resting: list[Node]) -> Iterator[tuple[str, str]]:
        """Yield pairs (screen, previous) where `previous` may come directly before `screen`."""
        for node in resting:
            if node.passing or node.closes:
                continue
            for ahead in self._reached(node):
                yield ahead, node.name

    def _reached(self, node: Node) -> set[str]:
        """Return the screens one answer away; the search goes on through steps and transient screens."""
        visited: set[str] = set()
        pending = [target for _, _, target in forward(node)]
        while pending:
            name = pending.pop()
            target = self._nodes.get(name)
            if target is None or name in visited:
                continue
            visited.add(name)
            pending.extend(self._beyond(target))
        return {name for name in visited if self._nodes[name].rests and name != node.name}

    def _beyond(self, node: Node) -> Iterator[str]:
        """Yield where the search goes on from a node: gates; from steps and transient nodes their targets."""
        if node.needs != "none":
            yield from filter(None, (self.gate(node.needs, kind) for kind in self._proofs))
        if node.kind == "step" or node.passing:
            yield from (target for _, _, target in forward(node))

    def _add(self, trigger: str, origin: str, target: str) -> None:
        """Add an edge to the machine, and detours to the gates for the kinds of line without the proof."""
        needs = self._nodes[target].needs
        if needs == "none":
            self._machine.add_transition(trigger, origin, target)
            return
        self._machine.add_transition(trigger, origin, target, conditions=self._shown(needs))
        for kind in self._proofs:
            self._gated(trigger, origin, target, self.gate(needs, kind), [_of_kind(kind)])
        self._gated(trigger, origin, target, self.gate(needs, ""), [])

    def _shown(self, needs: str) -> Condition:
        def is_need_met(event: Any) -> bool:
            session: Session = event.model
            return self.met(needs, session.kind, session.proofs)

        return is_need_met

    def _gated(
        self, trigger: str, origin: str, target: str, gate: str, conditions: list[str | Condition]
    ) -> None:
        if gate:
            self._machine.add_transition(trigger, origin, gate, conditions=conditions, before=_remember(target))


def forward(node: Node) -> Iterator[tuple[str, str, str]]:
    """Return the edges a node defines itself: keys, picks, inputs, outcomes; `resume` is left out."""
    keys = ((f"{channel} {key}", option.to) for (channel, key), option in node.keys.items())
    pick = [("pick", node.each.to)] if node.each and node.each.to else []
    outcomes = ((outcome, to) for outcome, to in node.on.items() if to != RESUME)
    return ((trigger, node.name, to) for trigger, to in chain(keys, pick, _typed(node), outcomes))


def _typed(node: Node) -> Iterator[tuple[str, str]]:
    """Yield the edges of an input; a spoken answer goes by way of the read-back screen."""
    if node.accept and not node.accept.speech:
        yield "typed", node.accept.to
    elif node.accept:
        yield "ussd typed", node.accept.to
        yield "sms typed", node.accept.to
        yield "voice typed", back_of(node)


def _of_kind(kind: str) -> Condition:
    def is_of_kind(event: Any) -> bool:
        session: Session = event.model
        return session.kind == kind

    return is_of_kind


def _remember(target: str) -> Callable[[Any], None]:
    """Build the callback that stores the node to resume after the proof."""

    def remember_target(event: Any) -> None:
        session: Session = event.model
        session.then = target

    return remember_target
