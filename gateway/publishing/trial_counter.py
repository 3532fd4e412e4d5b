"""Trial counter: how many conversations of each side of a menu trial began, and how they ended."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from flows.engine.menu_versions import MenuVersions
from flows.engine.turn_event import TurnEvent
from storage.audit.write_behind import WriteBehind
from storage.revisions.trials import BEGUN, CountKey, add_counts

ROUND_SECONDS = 1.0
"""Interval at which counts are handed over to be written."""


@dataclass(slots=True)
class TrialCounter:
    """Counts by each caller's side, in memory, and writes the sums behind; nothing is kept of who called.

    Callers of a withheld number are not counted: all of them are on what is published. A process that crashes
    loses the counts of its last second.
    """

    menu_versions: MenuVersions = field(repr=False)
    write_behind: WriteBehind = field(repr=False)
    counts: Counter[CountKey] = field(default_factory=Counter, repr=False)
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def record_turn(self, event: TurnEvent) -> None:
        """Count a conversation's beginning and end; costs a look-up where no trial runs, raises nothing."""
        trial = self.menu_versions.trials.get(event.operator)
        if trial is None or not event.subscriber_hash or not (event.is_first or event.ends):
            return
        side = trial.side_of(event.subscriber_hash)
        self.counts[trial.id, side, BEGUN] += event.is_first
        if event.ends:
            self.counts[trial.id, side, event.screen] += 1
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(ROUND_SECONDS, self.hand_over)

    def hand_over(self) -> None:
        """Hand what was counted to the next flush."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        counts, self.counts = self.counts, Counter()
        if counts:
            self.write_behind.run_later(partial(add_counts, counts=counts))
