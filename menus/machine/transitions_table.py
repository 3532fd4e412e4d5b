"""The machine: every move a session can make, compiled once per pack revision.

The only module that knows `transitions`. The machine has no models: a session is a plain object
on which events are fired, so nothing is registered per session and nothing can leak between two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from transitions import Machine, MachineError

from menus.machine.screen import Node, back_of
from menus.model.session import Session

RESUME = "resume"
"""An outcome that leads here goes on to the screen that waited behind the proof."""

Condition = Callable[[Any], bool | None]

HOME, LOST, BYE, AGENT = "home", "house.lost", "house.bye", "house.agent"
ALWAYS: Mapping[str, str] = {"home": HOME, "lost": LOST, "bye": BYE, "agent": AGENT}
"""Moves every open screen has by rule."""

SATISFIES: Mapping[str, frozenset[str]] = {
    "line": frozenset({"line"}),
    "code": frozenset({"code"}),
    "password": frozenset({"password", "pin"}),
    "pin": frozenset({"pin", "password"}),
    "customer_code": frozenset({"customer_code"}),
    "secret": frozenset({"code", "password", "pin", "customer_code"}),
}
"""Which proofs meet a need. A trusted leg proves the line and nothing more: never a `secret`."""
BY_RULES = ("line", "secret")
"""Needs for which the rules name, per kind of line, the proof that is asked."""


class NoMoveError(ValueError):
    """The table has no such move from here."""


class Moves:
    """The transition table of one pack revision."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        gates: Mapping[str, str],
        proofs: Mapping[str, str],
        entries: Iterable[str] = (),
        vouched: Iterable[str] | None = None,
    ) -> None:
        """`gates`: proof -> node that asks for it; `proofs`: kind of line -> the proof its rules name;
        `entries`: the nodes a keyword may lead to straight from home; `vouched`: the kinds of line a
        trusted leg may prove by itself, all by default.
        """
        self._nodes, self._gates, self._proofs = nodes, gates, proofs
        self._entries = sorted(set(entries))
        self._vouched = frozenset(proofs if vouched is None else vouched)
        self._machine = Machine(
            model=None,
            states=list(nodes),
            initial=None,
            auto_transitions=False,
            send_event=True,
            model_attribute="state",
        )
        self._ways: dict[tuple[str, str], tuple[str, str]] = {}
        for trigger, origin, target in self.edges():
            self._add(trigger, origin, target)
            self._ways.setdefault((trigger, origin), (self._nodes[target].needs, target))
        self._events = dict(self._machine.events)

    def fire(self, trigger: str, session: Session) -> None:
        """Move the session, or raise NoMoveError and leave it where it is.

        An open way, as most are, is looked up: the first the machine would try, met by the same rule. Asking
        the machine costs 12 to 70 us a move; it is asked where a gate is closed.
        """
        needs, target = self._ways.get((trigger, session.state), ("", ""))
        if target and self.met(needs, session.kind, session.proofs):
            session.state = target
            return
        self.ask(trigger, session)

    def ask(self, trigger: str, session: Session) -> None:
        """Let the machine itself move the session; NoMoveError when it knows no way."""
        event = self._events.get(trigger)
        if event is None:
            raise NoMoveError(trigger)
        try:
            event.trigger(session)
        except MachineError as error:
            raise NoMoveError(trigger) from error

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Every move as (trigger, from, to), before the gates."""
        for node in self._nodes.values():
            yield from forward(node)
        resting = [node for node in self._nodes.values() if node.rests]
        for here, behind in self._backs(resting):
            yield f"back {behind}", here, behind
        yield from (
            (word, node.name, target)
            for word, target in ALWAYS.items()
            for node in resting
            if target in self._nodes and not node.closes
        )
        for target in self._entries:
            yield f"enter {target}", HOME, target
        for step, target in self._resumes():
            yield f"{RESUME} {target}", step, target

    def gate(self, needs: str, kind: str) -> str:
        """The node that asks a kind of line for the proof of a need."""
        return self._gates.get(self._wanted(kind) if needs in BY_RULES else needs, "")

    def met(self, needs: str, kind: str, proofs: Iterable[str]) -> bool:
        """Do these proofs meet a need for a kind of line? `line` means the rules' own proof will do."""
        if needs == "none":
            return True
        enough = SATISFIES[needs]
        if needs == "line":
            by_leg = enough if kind in self._vouched or not kind else frozenset[str]()
            enough = by_leg | SATISFIES[self._wanted(kind)]
        return not enough.isdisjoint(proofs)

    def _wanted(self, kind: str) -> str:
        """The proof the rules name for a kind of line; the first one's where it is not known."""
        return self._proofs.get(kind, next(iter(self._proofs.values()), "line"))

    def _resumes(self) -> Iterator[tuple[str, str]]:
        guarded = [node.name for node in self._nodes.values() if node.needs != "none"]
        provers = [node.name for node in self._nodes.values() if RESUME in node.on.values()]
        return ((prover, target) for prover in provers for target in guarded)

    def _backs(self, resting: list[Node]) -> Iterator[tuple[str, str]]:
        """Pairs (here, there) where `there` may lie directly behind `here`."""
        for node in resting:
            if node.passing or node.closes:
                continue
            for found in self._reached(node):
                yield found, node.name

    def _reached(self, node: Node) -> set[str]:
        """Resting screens one answer away; steps and screens never returned to are passed through."""
        found: set[str] = set()
        todo = [target for _, _, target in forward(node)]
        while todo:
            name = todo.pop()
            target = self._nodes.get(name)
            if target is None or name in found:
                continue
            found.add(name)
            todo.extend(self._beyond(target))
        return {name for name in found if self._nodes[name].rests and name != node.name}

    def _beyond(self, node: Node) -> Iterator[str]:
        if node.needs != "none":
            yield from filter(None, (self.gate(node.needs, kind) for kind in self._proofs))
        if node.kind == "step" or node.passing:
            yield from (target for _, _, target in forward(node))

    def _add(self, trigger: str, origin: str, target: str) -> None:
        needs = self._nodes[target].needs
        if needs == "none":
            self._machine.add_transition(trigger, origin, target)
            return
        self._machine.add_transition(trigger, origin, target, conditions=self._shown(needs))
        for kind in self._proofs:
            self._gated(trigger, origin, target, self.gate(needs, kind), [_of_kind(kind)])
        self._gated(trigger, origin, target, self.gate(needs, ""), [])

    def _shown(self, needs: str) -> Condition:
        return lambda event: self.met(needs, event.model.kind, event.model.proofs)

    def _gated(
        self, trigger: str, origin: str, target: str, gate: str, conditions: list[str | Condition]
    ) -> None:
        if gate:
            self._machine.add_transition(trigger, origin, gate, conditions=conditions, before=_remember(target))


def forward(node: Node) -> Iterator[tuple[str, str, str]]:
    """The moves a screen writes itself: keys, picks, inputs, outcomes; `resume` is left out."""
    keys = ((f"{channel} {key}", option.to) for (channel, key), option in node.keys.items())
    pick = [("pick", node.each.to)] if node.each and node.each.to else []
    outcomes = ((outcome, to) for outcome, to in node.on.items() if to != RESUME)
    return ((trigger, node.name, to) for trigger, to in chain(keys, pick, _typed(node), outcomes))


def _typed(node: Node) -> Iterator[tuple[str, str]]:
    """An answer leads on, from a call by way of the screen that reads it back."""
    if node.accept and not node.accept.speech:
        yield "typed", node.accept.to
    elif node.accept:
        yield "ussd typed", node.accept.to
        yield "sms typed", node.accept.to
        yield "voice typed", back_of(node)


def _of_kind(kind: str) -> Condition:
    return lambda event: bool(event.model.kind == kind)


def _remember(target: str) -> Callable[[Any], None]:
    def remember(event: Any) -> None:
        event.model.then = target

    return remember
