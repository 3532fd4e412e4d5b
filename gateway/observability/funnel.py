"""Drop-off funnel: per screen, how many conversations reached it, were abandoned or failed there."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flows.engine.turn_event import TurnEvent

FAILED_OUTCOMES = frozenset({"slow", "down"})
"""Step outcomes counted as failures: a dependency was slow or down."""
MISSED_INPUTS = frozenset({"wrong", "empty"})
"""Answers counted as failures of a screen: a wrong key, or none."""
MAX_OPEN = 50_000
"""Conversations whose current screen is remembered; the longest idle are dropped first, as abandoned."""

ScreenKey = tuple[str, str, str]
"""Operator, channel, node."""


@dataclass(frozen=True, slots=True)
class ScreenCounts:
    """Counts of one screen."""

    visits: int = 0
    abandonments: int = 0
    failures: int = 0


@dataclass(slots=True)
class Funnel:
    """Counts turns by screen; holds no numbers and no texts."""

    visits: Counter[ScreenKey] = field(default_factory=Counter, repr=False)
    abandonments: Counter[ScreenKey] = field(default_factory=Counter, repr=False)
    failures: Counter[ScreenKey] = field(default_factory=Counter, repr=False)
    current_screens: OrderedDict[str, ScreenKey] = field(default_factory=OrderedDict, repr=False)
    """By conversation, the screen it is on."""

    def record_turn(self, turn: TurnEvent) -> None:
        """Count an answered turn."""
        where = turn.operator, turn.channel
        if turn.answer_result in MISSED_INPUTS:
            self.failures[*where, turn.origin_screen] += 1
        if turn.answer_result == "begun" or turn.screen != turn.origin_screen:
            self.visits[*where, turn.screen] += 1
        for step, outcome in turn.steps:
            self.visits[*where, step] += 1
            self.failures[*where, step] += outcome in FAILED_OUTCOMES
        self._move_to_screen(turn)

    def record_end(self, conversation_id: str) -> None:
        """Count the conversation as abandoned on its current screen."""
        if (screen := self.current_screens.pop(conversation_id, None)) is not None:
            self.abandonments[screen] += 1

    def channel_counts(self, operator: str, channel: str) -> Mapping[str, ScreenCounts]:
        """Return the counts by node of one operator's channel."""
        return {
            screen[2]: ScreenCounts(self.visits[screen], self.abandonments[screen], self.failures[screen])
            for screen in self._known_screens()
            if screen[:2] == (operator, channel)
        }

    def all_counts(self) -> Iterator[tuple[ScreenKey, ScreenCounts]]:
        """Yield every screen with a count, sorted."""
        for screen in self._known_screens():
            yield screen, ScreenCounts(self.visits[screen], self.abandonments[screen], self.failures[screen])

    def _known_screens(self) -> list[ScreenKey]:
        """Return every screen with a count, sorted."""
        return sorted(self.visits.keys() | self.abandonments.keys() | self.failures.keys())

    def _move_to_screen(self, turn: TurnEvent) -> None:
        """Remember the screen the conversation is on now; nothing once the turn ended it."""
        self.current_screens.pop(turn.conversation_hash, None)
        if not turn.ends:
            self.current_screens[turn.conversation_hash] = turn.operator, turn.channel, turn.screen
        if len(self.current_screens) > MAX_OPEN:
            self.record_end(next(iter(self.current_screens)))
