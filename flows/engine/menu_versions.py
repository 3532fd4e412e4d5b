"""Published menu revisions and trials: a conversation stays on the revision it started with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.pack_trials import TrialSide, choose_side
from menus.machine.menu import Menu


@dataclass(frozen=True, slots=True)
class MenuTrial:
    """A menu that a share of an operator's callers get instead of the published one."""

    id: int
    menu: Menu = field(repr=False)
    share_percent: int

    def side_of(self, caller_hash: str) -> TrialSide:
        """Return the side of a caller, known by the keyed hash of the number; empty when withheld."""
        return choose_side(self.id, self.share_percent, caller_hash)


@dataclass(slots=True)
class MenuVersions:
    """Menus by operator and revision; the last one published is the operator's current menu."""

    menus: dict[str, dict[str, Menu]] = field(default_factory=dict)
    max_revisions: int = 8
    """Revisions kept per operator; a conversation lasts minutes, so this is enough."""
    adapt: Callable[[Menu], Menu] = lambda menu: menu
    """Fits each menu to what its operator's billing can tell, as it is published."""
    trials: dict[str, MenuTrial] = field(default_factory=dict)
    """The trial that runs, by operator; none for most, most of the time."""

    def adapt_to_billing(self, adapt: Callable[[Menu], Menu]) -> None:
        """Fit the current menus and those on trial, and those published from now on."""
        self.adapt = adapt
        for operator in list(self.menus):
            self.publish(self.current_menu(operator))
        for trial in list(self.trials.values()):
            self.begin_trial(trial)

    def publish(self, menu: Menu) -> None:
        """Make a menu its operator's current one and drop the oldest; live sessions stay on their revision."""
        revisions = self.menus.setdefault(menu.name, {})
        revisions.pop(menu.revision, None)
        revisions[menu.revision] = self.adapt(menu)
        while len(revisions) > self.max_revisions:
            del revisions[next(iter(revisions))]

    def begin_trial(self, trial: MenuTrial) -> None:
        """Give a share of new conversations the menu of a trial; it replaces an earlier trial."""
        current = self.current_menu(trial.menu.name)
        self.publish(trial.menu)
        menu = self.current_menu(trial.menu.name)
        self._make_current(current)
        self.trials[menu.name] = MenuTrial(trial.id, menu, trial.share_percent)

    def end_trial(self, operator: str) -> None:
        """Give every new conversation the current menu; those begun in the trial end on its menu."""
        self.trials.pop(operator, None)

    def current_menu(self, operator: str) -> Menu:
        """Return the operator's current menu; KeyError for an unknown operator."""
        return next(reversed(self.menus[operator].values()))

    def menu_for_caller(self, operator: str, caller_hash: str) -> Menu:
        """Return the menu of a caller's new conversation: the current one unless a trial takes the caller.

        `caller_hash` is the keyed hash of the caller's number; empty when it is withheld.
        """
        trial = self.trials.get(operator)
        is_taken = trial is not None and trial.side_of(caller_hash) == "trial"
        return trial.menu if trial is not None and is_taken else self.current_menu(operator)

    def find_revision(self, operator: str, revision: str) -> Menu | None:
        """Return the menu of a revision; None when it is no longer kept."""
        found, trial = self.menus[operator].get(revision), self.trials.get(operator)
        is_tried = found is None and trial is not None and trial.menu.revision == revision
        return trial.menu if trial is not None and is_tried else found

    def _make_current(self, menu: Menu) -> None:
        """Move a menu that is kept, and adapted already, to the end, where the current one is."""
        revisions = self.menus[menu.name]
        revisions.pop(menu.revision, None)
        revisions[menu.revision] = menu
