"""The shelf: every published menu revision, so that a conversation ends on the one it began with."""

from dataclasses import dataclass, field

from menus.machine.menu import Menu


@dataclass(slots=True)
class Shelf:
    """Menus by operator and revision; the newest of each operator is the current one."""

    menus: dict[str, dict[str, Menu]] = field(default_factory=dict)
    keep: int = 8
    """Revisions kept per operator; a conversation lives minutes, so old ones need no more."""

    def publish(self, menu: Menu) -> None:
        """Make a menu the current one of its operator; live sessions stay on theirs."""
        revisions = self.menus.setdefault(menu.name, {})
        revisions.pop(menu.revision, None)
        revisions[menu.revision] = menu
        while len(revisions) > self.keep:
            del revisions[next(iter(revisions))]

    def current(self, operator: str) -> Menu:
        """The newest menu; KeyError for an operator we do not serve."""
        return next(reversed(self.menus[operator].values()))

    def of(self, operator: str, revision: str) -> Menu | None:
        """The menu of a revision, if it is still on the shelf."""
        return self.menus[operator].get(revision)
