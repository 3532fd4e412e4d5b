"""Drop-off funnel: per screen, how many conversations reached it, were abandoned or failed there."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flows.engine.turn_event import Turn

FAULTS = frozenset({"slow", "down"})
"""Step outcomes counted as failures: a dependency was slow or down."""
MISSES = frozenset({"wrong", "empty"})
"""Answers counted as failures of a screen: a wrong key, or none."""
MOST_OPEN = 50_000
"""Conversations whose current screen is remembered; the longest idle are dropped first, as abandoned."""

Screen = tuple[str, str, str]
"""Operator, channel, node."""


@dataclass(frozen=True, slots=True)
class Count:
    """Counts of one screen."""

    reached: int = 0
    left: int = 0
    failed: int = 0


@dataclass(slots=True)
class Funnel:
    """Counts turns by screen; holds no numbers and no texts."""

    reached: Counter[Screen] = field(default_factory=Counter, repr=False)
    left: Counter[Screen] = field(default_factory=Counter, repr=False)
    failed: Counter[Screen] = field(default_factory=Counter, repr=False)
    standing: OrderedDict[str, Screen] = field(default_factory=OrderedDict, repr=False)
    """By conversation, the screen it is on."""

    def saw(self, turn: Turn) -> None:
        """Count an answered turn."""
        where = turn.operator, turn.channel
        if turn.said in MISSES:
            self.failed[*where, turn.origin] += 1
        if turn.said == "begun" or turn.screen != turn.origin:
            self.reached[*where, turn.screen] += 1
        for step, outcome in turn.steps:
            self.reached[*where, step] += 1
            self.failed[*where, step] += outcome in FAULTS
        self._stands(turn)

    def gone(self, conversation: str) -> None:
        """Count the conversation as abandoned on its current screen."""
        if (screen := self.standing.pop(conversation, None)) is not None:
            self.left[screen] += 1

    def counts(self, operator: str, channel: str) -> Mapping[str, Count]:
        """Return the counts by node of one operator's channel."""
        return {
            screen[2]: Count(self.reached[screen], self.left[screen], self.failed[screen])
            for screen in self._screens()
            if screen[:2] == (operator, channel)
        }

    def rows(self) -> Iterator[tuple[Screen, Count]]:
        """Yield every screen with a count, sorted."""
        for screen in self._screens():
            yield screen, Count(self.reached[screen], self.left[screen], self.failed[screen])

    def _screens(self) -> list[Screen]:
        """Return every screen with a count, sorted."""
        return sorted(self.reached.keys() | self.left.keys() | self.failed.keys())

    def _stands(self, turn: Turn) -> None:
        """Remember the screen the conversation is on now; nothing once the turn ended it."""
        self.standing.pop(turn.conversation, None)
        if not turn.ends:
            self.standing[turn.conversation] = turn.operator, turn.channel, turn.screen
        if len(self.standing) > MOST_OPEN:
            self.gone(next(iter(self.standing)))
