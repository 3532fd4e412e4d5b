"""Trial report: an operator's newest menu trial, its state, and the funnels of its two sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flows.domain.pack_revisions import FOLDER_NUMBER, RevisionError
from flows.domain.pack_trials import NO_PUBLICATION, PackTrial, TrialCounts, TrialSide, TrialState
from gateway.studio.revision_desk import RevisionDesk
from gateway.studio.trial_figures import OutcomeComparison, compare_outcomes
from menus.packfile.yaml_source import PackError
from menus.packs.loader import PackDraft


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What staff see of a trial, in the studio and on the command line."""

    trial: PackTrial
    state: TrialState
    compared: int
    """Number of the revision it is tried against; `FOLDER_NUMBER` for the installed pack."""
    counts: Mapping[TrialSide, TrialCounts] = field(repr=False)
    outcomes: Sequence[OutcomeComparison] = field(repr=False)
    """The final screens reached on either side, successes first."""


async def read_trial_report(desk: RevisionDesk, operator: str) -> TrialReport | None:
    """Return the report of the operator's newest trial; None when there was none yet."""
    trial = await desk.revisions.trials.read_newest(operator)
    if trial is None:
        return None
    publications = desk.revisions.publications
    current = await publications.current_publications([operator], desk.clock())
    served = current[operator].id if current else NO_PUBLICATION
    numbers = {each.id: each.number for each in await publications.list_publications(operator)}
    compared = numbers.get(trial.publication_id, FOLDER_NUMBER)
    counts = await desk.revisions.trials.read_counts(trial.id)
    drafts = await _load_drafts(desk, operator, (trial.number, compared))
    return TrialReport(trial, trial.state_beside(served), compared, counts, compare_outcomes(counts, drafts))


async def _load_drafts(desk: RevisionDesk, operator: str, numbers: Sequence[int]) -> Sequence[PackDraft]:
    """Return the packs of these revisions that can still be read: they say which endings are successes."""
    drafts = []
    for number in numbers:
        try:
            loaded = await desk.loader.load_files(operator, await desk.read_files(operator, number))
        except (RevisionError, PackError):
            continue
        drafts.append(loaded.draft)
    return drafts
