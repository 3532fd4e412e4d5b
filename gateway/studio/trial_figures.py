"""Trial figures: the funnels of both sides of a trial, and whether they differ by more than chance."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.domain.pack_trials import TrialCounts, TrialSide
from menus.machine.surface import SURFACES
from menus.packs.graph import build_menu_graph
from menus.packs.loader import PackDraft

MIN_CONVERSATIONS = 100
"""Conversations each side needs before the sides are compared."""
CRITICAL_Z = 1.959964
"""Two-sided 95 % point of the normal distribution: chance alone exceeds it one time in twenty."""

TrialVerdict = Literal["too_few", "chance", "difference"]
"""Too few conversations; may be chance; more than chance at 95 %."""


@dataclass(frozen=True, slots=True)
class SideShare:
    """How many of one side's conversations ended on a screen."""

    reached: int
    conversations: int

    @property
    def ratio(self) -> float:
        """The share, 0 to 1; conversations under way when the trial began have an end and no beginning."""
        return min(1.0, self.reached / self.conversations) if self.conversations else 0.0


@dataclass(frozen=True, slots=True)
class OutcomeComparison:
    """One final screen on both sides."""

    screen: str
    is_success: bool
    """Whether it is come to as asked: its role in the menu graph is `outcome`, not `failure`."""
    published: SideShare
    trial: SideShare
    verdict: TrialVerdict


def compare_outcomes(
    counts: Mapping[TrialSide, TrialCounts], drafts: Iterable[PackDraft]
) -> Sequence[OutcomeComparison]:
    """Return every final screen reached on either side, successes first, then the most reached first.

    `drafts` are the packs of the two sides.
    """
    successes = {name for draft in drafts for name in success_screens(draft)}
    published, trial = counts["published"], counts["trial"]
    names = sorted({*published.outcomes, *trial.outcomes})
    found = [_compare_screen(name, successes, published, trial) for name in names]
    return sorted(found, key=lambda each: (not each.is_success, -each.published.reached - each.trial.reached))


def success_screens(draft: PackDraft) -> frozenset[str]:
    """Return the final screens that are come to as asked, on any channel."""
    graphs = (build_menu_graph(draft, channel) for channel in SURFACES)
    return frozenset(node.name for graph in graphs for node in graph.nodes if node.role == "outcome")


def judge_difference(one: SideShare, other: SideShare) -> TrialVerdict:
    """Return whether two shares differ by more than chance: the two-proportion z-test, pooled, at 95 %."""
    if min(one.conversations, other.conversations) < MIN_CONVERSATIONS:
        return "too_few"
    reached = one.ratio * one.conversations + other.ratio * other.conversations
    pooled = reached / (one.conversations + other.conversations)
    error = math.sqrt(pooled * (1 - pooled) * (1 / one.conversations + 1 / other.conversations))
    return "difference" if abs(one.ratio - other.ratio) > CRITICAL_Z * error else "chance"


def _compare_screen(
    screen: str, successes: Container[str], published: TrialCounts, trial: TrialCounts
) -> OutcomeComparison:
    one, other = (SideShare(each.outcomes.get(screen, 0), each.conversations) for each in (published, trial))
    return OutcomeComparison(screen, screen in successes, one, other, judge_difference(one, other))
