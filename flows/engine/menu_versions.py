"""Published menu revisions: a conversation stays on the revision it started with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from menus.machine.menu import Menu


@dataclass(slots=True)
class MenuVersions:
    """Menus by operator and revision; the last one published is the operator's current menu."""

    menus: dict[str, dict[str, Menu]] = field(default_factory=dict)
    max_revisions: int = 8
    """Revisions kept per operator; a conversation lasts minutes, so this is enough."""
    adapt: Callable[[Menu], Menu] = lambda menu: menu
    """Fits each menu to what its operator's billing can tell, as it is published."""

    def adapt_to_billing(self, adapt: Callable[[Menu], Menu]) -> None:
        """Fit the current menus, and those published from now on."""
        self.adapt = adapt
        for operator in list(self.menus):
            self.publish(self.current_menu(operator))

    def publish(self, menu: Menu) -> None:
        """Make a menu its operator's current one and drop the oldest; live sessions stay on their revision."""
        revisions = self.menus.setdefault(menu.name, {})
        revisions.pop(menu.revision, None)
        revisions[menu.revision] = self.adapt(menu)
        while len(revisions) > self.max_revisions:
            del revisions[next(iter(revisions))]

    def current_menu(self, operator: str) -> Menu:
        """Return the operator's current menu; KeyError for an unknown operator."""
        return next(reversed(self.menus[operator].values()))

    def find_revision(self, operator: str, revision: str) -> Menu | None:
        """Return the menu of a revision; None when it is no longer kept."""
        return self.menus[operator].get(revision)
