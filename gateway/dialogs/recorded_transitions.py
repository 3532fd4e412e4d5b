"""Transition recording: a menu that remembers which transitions its conversations made."""

from dataclasses import replace

from menus.machine.menu import Menu
from menus.machine.proof_rules import read_proof_rules
from menus.machine.transitions_table import TransitionTable
from menus.model.session import Session

FiredTransition = tuple[str, str, str]
"""A transition made: channel, trigger, and the node it left."""


class RecordingTransitions(TransitionTable):
    """Records every transition of a menu."""

    def __init__(self, menu: Menu) -> None:
        super().__init__(menu.nodes, read_proof_rules(menu.config), menu.keywords.targets)
        self.fired_transitions: set[FiredTransition] = set()

    def fire(self, trigger: str, session: Session) -> None:
        """Fire the trigger and record the transition."""
        origin = session.state
        super().fire(trigger, session)
        self.fired_transitions.add((session.channel, trigger, origin))


def record_transitions(menu: Menu) -> tuple[Menu, RecordingTransitions]:
    """Return the menu with a transition table that records, and that table."""
    recorded = RecordingTransitions(menu)
    return replace(menu, transition_table=recorded), recorded
