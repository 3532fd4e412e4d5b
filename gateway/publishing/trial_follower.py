"""Trial follower: each process begins and ends the trials of revisions that the database names."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from flows.domain.failures import Failure
from flows.domain.pack_trials import PackTrial
from flows.engine.menu_versions import MenuTrial, MenuVersions
from menus.machine.menu import Menu
from menus.model.user_error import UserError

log = logging.getLogger("dialtree.packs")


@dataclass(slots=True)
class TrialFollower:
    """Begins and ends trials in this process's menus; a revision that cannot be used is tried on nobody."""

    menu_versions: MenuVersions = field(repr=False)
    load: Callable[[str, int], Awaitable[Menu]] = field(repr=False)
    """Compiles an operator's revision of a number."""
    refused: set[int] = field(default_factory=set)
    """Ids of the trials whose revision cannot be used."""

    async def follow_trial(self, operator: str, trial: PackTrial | None) -> None:
        """Let the operator's menus have this trial, or none; what is served to the others stays."""
        followed = self.menu_versions.trials.get(operator)
        if followed is not None and (trial is None or trial.id != followed.id):
            self.menu_versions.end_trial(operator)
            log.info("packs.trial_ended", extra={"operator": operator, "revision": followed.menu.revision})
            followed = None
        if trial is not None and followed is None and trial.id not in self.refused:
            await self._begin(trial)

    async def _begin(self, trial: PackTrial) -> None:
        try:
            menu = await self.load(trial.operator, trial.number)
        except Failure:
            return  # the database does not answer: the next look tries again
        except Exception as error:
            # edge of the background task: a pack that no check foresaw must not end the following for good
            said = str(error) if isinstance(error, UserError) else type(error).__name__
            fields = {"operator": trial.operator, "what": f"revision {trial.number}", "findings": said}
            log.error("packs.revision_refused", extra=fields)
            self.refused.add(trial.id)
            return
        self.menu_versions.begin_trial(MenuTrial(trial.id, menu, trial.share_percent))
        log.info("packs.trial_began", extra={"operator": trial.operator, "revision": menu.revision})
