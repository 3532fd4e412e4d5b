"""Walk attempt: one caller in a sandbox of their own tries to make one transition of a menu."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from flows.engine.turn_event import TurnEvent
from gateway.dialogs.pack_transitions import BILLING_FAULTS, PackTransition
from gateway.dialogs.player import Player
from gateway.dialogs.walk_graph import PICK_KEY, WalkGraph, WalkMove
from gateway.dialogs.walk_values import OutcomeMemory, Walker
from menus.machine.screen import RESUME_OFFER
from menus.machine.transitions_table import HOME, RESUME

MAX_ACTIONS = 48
"""Actions of one attempt at most."""
MAX_ACTIONS_BEFORE_PASS = 20
"""Actions of one attempt that does not find the place it wants."""
MAX_PASSES = 14
"""How often an attempt passes the place it wants, with another outcome than the one it wants."""
RIGHT_OUTCOMES = ("ok", "first")
"""Outcomes of a proof that was right."""
TRIED_PENALTY = 2.0
"""What a move costs for each time it was made in this attempt, in steps: so other ways are tried, too."""


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """How an attempt is made: by whom, with which fault of billing, and how long it waits between tries."""

    walker: Walker
    label: str
    """What the dialogs of such attempts are called."""
    trust: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    """`slow` or `down`; empty for none."""
    moment: Literal["first", "last", "proven"] = "first"
    """When billing fails: from the first moment, before the last answer, or with the proof before it."""
    pause: str = ""
    """How long to wait before the next try, or the fault, as a dialog writes it; empty for not at all."""
    insists: bool = False
    """Whether what was right is typed again and again, until a limit is reached."""


@dataclass(slots=True)
class WalkAttempt:
    """One attempt: its actions as a dialog writes them, and where the caller stands."""

    graph: WalkGraph
    player: Player = field(repr=False)
    plan: WalkPlan
    target: PackTransition
    memory: OutcomeMemory = field(repr=False)
    new_transitions: Callable[[], Set[PackTransition]] = field(repr=False)
    """Returns the transitions made in this attempt and in none before."""
    actions: list[str] = field(default_factory=list)
    useful_actions: int = 0
    """Actions up to the last that made a new transition."""
    found: Set[PackTransition] = frozenset()
    """The new transitions made."""
    screen: str = ""
    """The screen that waits for an answer; empty when nothing is open."""
    lines: Sequence[str] = field(default=(), repr=False)
    is_deferred: bool = False
    """Whether billing was too slow for a step: a second one would be texted in an order nobody knows."""
    is_unlinked: bool = False
    """Whether no answer leads to the place, and only the gateway itself may."""
    dropped_screens: set[str] = field(default_factory=set)
    """Screens at which a session was dropped."""
    passes: int = 0
    tried: Counter[tuple[str, str, str]] = field(default_factory=Counter, repr=False)
    steps: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Steps of the last turn, each with its outcome."""

    def on_turn(self, turn: TurnEvent) -> None:
        """Take note of where the caller stands (a turn listener)."""
        self.screen, self.steps = "" if turn.ends else turn.screen, turn.steps
        self.is_deferred = self.is_deferred or (self.plan.fault, "slow") == ("slow", _last_outcome(turn))
        if any(step == self.target[1] for step, _ in turn.steps):
            self.passes += 1
            self.tried.clear()  # this way leads there, and may be taken again

    @property
    def is_made(self) -> bool:
        """Return whether the transition was made."""
        return self.target in self.found

    async def run(self) -> bool:
        """Walk towards the transition; return whether it was made."""
        distances = self.graph.distances_to(self.target[1])
        self.is_unlinked = len(distances) == 1 or self.target[1] == RESUME_OFFER
        if self.plan.fault and self.plan.moment == "first":
            await self._perform("billing", self.plan.fault)
        while not (self.is_made or self.is_deferred or self._has_tried_enough):
            passes = self.passes
            if not await self._advance(distances):
                return False
            if self.plan.pause and self.passes > passes and not (self.is_made or self.plan.fault):
                await self._perform("wait", self.plan.pause)
        return self.is_made

    @property
    def _has_tried_enough(self) -> bool:
        most = MAX_ACTIONS if self.passes else MAX_ACTIONS_BEFORE_PASS
        return len(self.actions) >= most or self.passes >= MAX_PASSES

    async def _advance(self, distances: Mapping[str, float]) -> bool:
        """Make the best next move; return False when no way is left."""
        moves = self.graph.moves_from(self.screen) if self.screen else self.graph.entries()
        best = self._best_move(moves, distances)
        if self.screen and (best is None or self._drops_now()):
            await self._perform("hang", "up")
            self.screen = ""
            return True
        if best is not None:
            await self._make(best, distances)
        return best is not None

    def _drops_now(self) -> bool:
        """Return whether to hang up: what no answer leads to may come when the caller dials again."""
        if not self.is_unlinked or self.screen in (self.target[1], HOME) or self.screen in self.dropped_screens:
            return False
        self.dropped_screens.add(self.screen)
        return True

    def _best_move(self, moves: Sequence[WalkMove], distances: Mapping[str, float]) -> WalkMove | None:
        """Return the move that leads nearest and was tried least; None when none leads there."""
        if self.screen == self.target[1] and self.graph.nodes[self.screen].is_waiting:
            return next((move for move in moves if move.trigger == self.target[0]), None)
        if self.is_unlinked:
            onward = [move for move in moves if move.trigger != "home"]
            return min(onward, key=lambda move: self.tried[self._key_of(move)], default=None)
        costs = {move: self._cost(move, distances) for move in moves}
        best = min(costs, key=lambda move: costs[move], default=None)
        return best if best is not None and costs[best] < math.inf else None

    def _cost(self, move: WalkMove, distances: Mapping[str, float]) -> float:
        nearest = min(distances[name] + cost for name, cost in self.graph.nodes_entered(move.target))
        return nearest + TRIED_PENALTY * self.tried[self._key_of(move)]

    def _key_of(self, move: WalkMove) -> tuple[str, str, str]:
        return self.screen, move.trigger, f"{move.key} {move.takes}"

    async def _make(self, move: WalkMove, distances: Mapping[str, float]) -> None:
        screen = self.screen
        self.tried[self._key_of(move)] += 1
        if self._fails_now(move):
            await self._spoil_billing()
        wanted = RIGHT_OUTCOMES[0] if self.plan.insists else self._wanted_outcome(move.target, distances)
        values = self._values_for(move, is_right=wanted in RIGHT_OUTCOMES)
        value = self.memory.choose(self.plan.walker.msisdn, screen or move.key, values, wanted)
        await self._perform(*(self._answer(move, value) if screen else self._entry(move, value)))
        outcome = self.steps[0][1] if self.steps else ""
        if outcome not in BILLING_FAULTS:
            self.memory.record(self.plan.walker.msisdn, screen or move.key, value, outcome)

    def _values_for(self, move: WalkMove, *, is_right: bool) -> Sequence[str]:
        """Return what may be typed; one empty value where the move's keys are all there is."""
        if move.accept:
            return self.plan.walker.values_for(move.accept, self.lines, is_right=is_right) or [PICK_KEY]
        return self.plan.walker.arguments_for(move.takes) or [""]

    def _answer(self, move: WalkMove, value: str) -> tuple[str, str]:
        """Return an answer as a dialog writes it."""
        if not move.accept:
            return ">", move.key
        wants_finish_key = any(line.startswith("? ") and line.endswith(" then #") for line in self.lines)
        return ">", f"{value}#" if wants_finish_key else value

    def _entry(self, move: WalkMove, value: str) -> tuple[str, str]:
        """Return a way into the menus as a dialog writes it."""
        numbers = self.graph.pack.pack_draft.config.numbers
        by_channel = {"ussd": ("dial", numbers.ussd), "voice": ("call", numbers.voice)}
        words = f"{numbers.sms} {move.key} {value}"
        return by_channel.get(self.graph.pack.channel, ("text", " ".join(words.split())))

    def _fails_now(self, move: WalkMove) -> bool:
        """Return whether billing is to fail before this answer."""
        if self.plan.moment == "last":
            return self.target[1] in dict(self.graph.nodes_entered(move.target))
        return self.plan.moment == "proven" and RESUME in self.graph.nodes[move.target].on.values()

    async def _spoil_billing(self) -> None:
        """Let billing fail from now on, and what it has answered be forgotten first."""
        if self.plan.pause:
            await self._perform("wait", self.plan.pause)
        await self._perform("billing", self.plan.fault)

    def _wanted_outcome(self, name: str, distances: Mapping[str, float]) -> str:
        """Return the outcome of the step behind an input that leads towards the target."""
        if name == self.target[1]:
            return self.target[0]
        on = self.graph.nodes[name].on
        return min(on, key=lambda outcome: self._distance_after(on[outcome], distances), default="")

    def _distance_after(self, target: str, distances: Mapping[str, float]) -> float:
        nodes: Iterator[str] = self.graph.resumed_nodes() if target == RESUME else iter((target,))
        return min((distances[node] for node in nodes), default=math.inf)

    async def _perform(self, verb: str, argument: str) -> None:
        """Perform an action and write it down."""
        self.actions.append(f"{verb} {argument}".rstrip())
        self.steps = ()
        lines = await self.player.perform(verb, argument)
        self.lines = lines or self.lines
        if len(found := self.new_transitions()) > len(self.found):
            self.found, self.useful_actions = found, len(self.actions)


def _last_outcome(turn: TurnEvent) -> str:
    return turn.steps[-1][1] if turn.steps else ""
