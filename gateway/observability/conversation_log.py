"""The journal: one record for each conversation that is over: its path, its times, how it ended, never who."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.engine.turn_event import Turn
from gateway.observability.funnel import Funnel

log = logging.getLogger("dialtree.conversation")
IDLE_SECONDS = 600.0
"""Who says nothing for so long has left, though no network said so."""
MOST_OPEN = 50_000


@dataclass(slots=True)
class Story:
    """What is known of a conversation under way. Another process's turns of it are in its own journal."""

    first: Turn
    path: list[str]
    took: list[int] = field(default_factory=list)
    """Milliseconds, a turn each."""
    at: float = 0.0


@dataclass(slots=True)
class Journal:
    """Follows conversations by their turns."""

    funnel: Funnel
    clock: Callable[[], float] = time.monotonic
    stories: OrderedDict[str, Story] = field(default_factory=OrderedDict, repr=False)

    def saw(self, turn: Turn) -> None:
        """A turn was answered."""
        story = self.stories.get(turn.conversation) or self._begun(turn)
        story.path += [step for step, _ in turn.steps]
        if turn.screen != story.path[-1] or turn.steps:
            story.path.append(turn.screen)
        story.took.append(round(turn.seconds * 1000))
        story.at = self.clock()
        if turn.ends:
            del self.stories[turn.conversation]
            self._write(story, turn.screen)
            return
        self.stories.move_to_end(turn.conversation)

    def gone(self, conversation: str) -> None:
        """The network said that it is over."""
        self.funnel.gone(conversation)
        story = self.stories.pop(conversation, None)
        if story:
            self._write(story, "left")

    def _begun(self, turn: Turn) -> Story:
        self._sweep()
        story = self.stories[turn.conversation] = Story(turn, [turn.origin])
        return story

    def _sweep(self) -> None:
        while self.stories:
            name, story = next(iter(self.stories.items()))
            if len(self.stories) <= MOST_OPEN and story.at + IDLE_SECONDS > self.clock():
                return
            self.gone(name)

    def _write(self, story: Story, outcome: str) -> None:
        first = story.first
        told = {
            "operator": first.operator,
            "channel": first.channel,
            "subscriber": first.subscriber,
            "revision": first.revision,
            "language": first.language,
            "path": " ".join(story.path),
            "turns": len(story.took),
            "ms": " ".join(map(str, story.took)),
            "outcome": outcome,
        }
        log.info("conversation", extra=told)
