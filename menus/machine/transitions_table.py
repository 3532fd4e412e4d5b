"""State machine: the transition table of a pack, one machine of `transitions` for each revision.

The only module that imports `transitions`. The machine has no models: a session is a plain object on
which events are fired, so nothing is registered per session and no state can leak between sessions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from transitions import Machine, MachineError

from menus.machine.proof_rules import ProofRules
from menus.machine.screen import Node, read_back_name
from menus.model.session import Session

RESUME = "resume"
"""Target of an outcome that resumes the node that waited for the proof."""
PROVE = "prove"
"""Trigger that leads from `CONTINUE` to the node that asks for a proof, with the need behind it."""
CONTINUE = "house.continue"
"""Step that continues a dropped session; it has an edge to every screen a session may have stopped on."""

GuardCondition = Callable[[Any], bool | None]
"""Guard condition of `transitions`: takes the event data, whose `model` is the session."""

HOME, GIVE_UP, GOODBYE, AGENT = "home", "house.lost", "house.bye", "house.agent"
UNIVERSAL_MOVES: Mapping[str, str] = {"home": HOME, "lost": GIVE_UP, "bye": GOODBYE, "agent": AGENT}
"""Target by trigger of the moves that every screen has unless it ends the session."""


class NoTransitionError(ValueError):
    """The transition table has no edge for this trigger from the current node."""


class TransitionTable:
    """Transition table of one pack revision: fires triggers on sessions and lists the edges."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        proof_rules: ProofRules,
        keyword_targets: Iterable[str] = (),
    ) -> None:
        """Collect the edges of the nodes; `keyword_targets`: nodes a keyword may lead to from home."""
        self._nodes, self.proof_rules = nodes, proof_rules
        self._keyword_targets = sorted(set(keyword_targets))
        self._open_edges: dict[tuple[str, str], tuple[str, str]] = {}
        self._targets_by_node: dict[str, list[str]] = {}
        self._targets_beyond_node: dict[str, tuple[str, ...]] = {}
        self._compiled_edges: set[tuple[str, str]] = set()
        aims = {name: (node.needs, name) for name, node in nodes.items()}
        for trigger, origin, target in self.edges():
            self._open_edges.setdefault((trigger, origin), aims[target])

    def fire(self, trigger: str, session: Session) -> None:
        """Move the session along a trigger's edge; NoTransitionError, and no move, if there is none.

        An edge whose need is met, as most are, is looked up in a dictionary: it is the first the machine would
        try, under the same rule. The machine, used where a proof is missing, takes 12 to 70 us a move.
        """
        needs, target = self._open_edges.get((trigger, session.state), ("", ""))
        if target and self.is_need_met(needs, session.line_kind, session.proofs):
            session.state = target
            return
        self.fire_on_machine(trigger, session)

    def fire_on_machine(self, trigger: str, session: Session) -> None:
        """Move the session with the machine itself; NoTransitionError when it has no edge.

        The machine gets the edges of a trigger and a node when it is first asked for them: most never are.
        """
        key = trigger, session.state
        if key not in self._open_edges:
            raise NoTransitionError(trigger)
        if key not in self._compiled_edges:
            self._add_edge(trigger, session.state, self._open_edges[key][1])
            self._compiled_edges.add(key)
        try:
            self._machine.events[trigger].trigger(session)
        except MachineError as error:
            raise NoTransitionError(trigger) from error

    def has_edge(self, trigger: str, origin: str) -> bool:
        """Return whether a trigger leads anywhere from a node."""
        return (trigger, origin) in self._open_edges

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Yield every edge as (trigger, origin, target), without the detours to the gates."""
        for node in self._nodes.values():
            yield from outgoing_edges(node)
        waiting = [node for node in self._nodes.values() if node.is_waiting]
        for screen, previous in self._back_edges(waiting):
            yield f"back {previous}", screen, previous
        yield from (
            (trigger, node.name, target)
            for trigger, target in UNIVERSAL_MOVES.items()
            for node in waiting
            if target in self._nodes and not node.is_final
        )
        for target in self._keyword_targets:
            yield f"enter {target}", HOME, target
        for step, target in self._resume_edges():
            yield f"{RESUME} {target}", step, target
        if CONTINUE in self._nodes:
            yield from ((f"{PROVE} {need}", CONTINUE, gate) for need, gate in self.proof_rules.gates.items())

    def is_need_met(self, needs: str, kind: str, proofs: Iterable[str]) -> bool:
        """Return whether the proofs meet a need for a kind of line, by the pack's rules."""
        return self.proof_rules.is_met(needs, kind, proofs)

    def _resume_edges(self) -> Iterator[tuple[str, str]]:
        """Yield (step that verifies a proof, node that needs a proof) and (`CONTINUE`, screen)."""
        targets = [node.name for node in self._nodes.values() if node.needs != "none" or node.name == CONTINUE]
        screens = [node.name for node in self._nodes.values() if node.is_waiting and not node.is_final]
        verifiers = [node.name for node in self._nodes.values() if RESUME in node.on.values()]
        return (
            (verifier, target)
            for verifier in verifiers
            for target in (screens if verifier == CONTINUE else targets)
        )

    def _back_edges(self, waiting_nodes: list[Node]) -> Iterator[tuple[str, str]]:
        """Yield pairs (screen, previous) where `previous` may come directly before `screen`."""
        for node in waiting_nodes:
            if node.is_transient or node.is_final:
                continue
            for ahead in self._screens_ahead(node):
                yield ahead, node.name

    def _screens_ahead(self, node: Node) -> set[str]:
        """Return the screens one answer away; the search goes on through steps and transient screens."""
        visited: set[str] = set()
        pending = list(self._targets_of(node))
        while pending:
            name = pending.pop()
            target = self._nodes.get(name)
            if target is None or name in visited:
                continue
            visited.add(name)
            pending.extend(self._targets_beyond(target))
        return {name for name in visited if self._nodes[name].is_waiting and name != node.name}

    def _targets_beyond(self, node: Node) -> tuple[str, ...]:
        """Return where the search goes on from a node, collected once."""
        targets = self._targets_beyond_node.get(node.name)
        if targets is None:
            targets = self._targets_beyond_node[node.name] = tuple(self._list_targets_beyond(node))
        return targets

    def _list_targets_beyond(self, node: Node) -> Iterator[str]:
        """Yield where the search goes on from a node: gates; from steps and transient nodes their targets."""
        if node.needs != "none":
            yield from filter(None, self.proof_rules.gates_by_proof(node.needs).values())
        if node.kind == "step" or node.is_transient:
            yield from self._targets_of(node)

    def _targets_of(self, node: Node) -> Sequence[str]:
        """Return where the node's own edges lead, collected once."""
        targets = self._targets_by_node.get(node.name)
        if targets is None:
            targets = self._targets_by_node[node.name] = [target for _, _, target in outgoing_edges(node)]
        return targets

    @cached_property
    def _machine(self) -> Machine:
        return Machine(
            model=None,
            states=list(self._nodes),
            initial=None,
            auto_transitions=False,
            send_event=True,
            model_attribute="state",
        )

    def _add_edge(self, trigger: str, origin: str, target: str) -> None:
        """Add an edge to the machine, and detours to the gates for the kinds of line without the proof."""
        needs = self._nodes[target].needs
        if needs == "none":
            self._machine.add_transition(trigger, origin, target)
            return
        self._machine.add_transition(trigger, origin, target, conditions=self._need_condition(needs))
        gate_for = self.proof_rules.gate_for
        for kind in self.proof_rules.proof_by_kind:
            self._add_gate_edge(trigger, origin, target, gate_for(needs, kind), [_kind_condition(kind)])
        self._add_gate_edge(trigger, origin, target, gate_for(needs, ""), [])

    def _need_condition(self, needs: str) -> GuardCondition:
        def is_need_met(event: Any) -> bool:
            session: Session = event.model
            return self.is_need_met(needs, session.line_kind, session.proofs)

        return is_need_met

    def _add_gate_edge(
        self, trigger: str, origin: str, target: str, gate: str, conditions: list[str | GuardCondition]
    ) -> None:
        if gate:
            self._machine.add_transition(
                trigger, origin, gate, conditions=conditions, before=_remember_target(target)
            )


def outgoing_edges(node: Node) -> Iterator[tuple[str, str, str]]:
    """Return the edges a node defines itself: keys, picks, inputs, outcomes; `resume` is left out."""
    keys = ((f"{channel} {key}", option.to) for (channel, key), option in node.options_by_key.items())
    pick = [("pick", node.each.to)] if node.each and node.each.to else []
    outcomes = ((outcome, to) for outcome, to in node.on.items() if to != RESUME)
    return ((trigger, node.name, to) for trigger, to in chain(keys, pick, _input_edges(node), outcomes))


def _input_edges(node: Node) -> Iterator[tuple[str, str]]:
    """Yield the edges of an input; a spoken answer goes by way of the read-back screen."""
    if node.accept and not node.accept.speech:
        yield "typed", node.accept.to
    elif node.accept:
        yield "ussd typed", node.accept.to
        yield "sms typed", node.accept.to
        yield "voice typed", read_back_name(node)


def _kind_condition(kind: str) -> GuardCondition:
    def is_of_kind(event: Any) -> bool:
        session: Session = event.model
        return session.line_kind == kind

    return is_of_kind


def _remember_target(target: str) -> Callable[[Any], None]:
    """Build the callback that stores the node to resume after the proof."""

    def remember_target(event: Any) -> None:
        session: Session = event.model
        session.resume_node = target

    return remember_target
