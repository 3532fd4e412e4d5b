"""Transition table: the machine holds only what it was asked for, and refuses what no edge names."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from transitions import Machine

from menus.machine.proof_rules import read_proof_rules
from menus.machine.transitions_table import NoTransitionError, TransitionTable
from menus.model.session import Session
from tests.support.shipped_packs import shipped_menu

OPERATOR = "orange-ro"


@pytest.fixture
def table() -> TransitionTable:
    """Provide a table nobody has used."""
    menu = shipped_menu(OPERATOR)
    return TransitionTable(menu.nodes, read_proof_rules(menu.config), menu.keywords.targets)


@pytest.fixture
def added_edges() -> Iterator[list[tuple[str, str]]]:
    """Record trigger and origin of each edge given to a machine."""
    added: list[tuple[str, str]] = []
    add = Machine.add_transition

    def record(machine: Machine, trigger: str, source: str, *target: Any, **more: Any) -> None:
        added.append((trigger, source))
        add(machine, trigger, source, *target, **more)

    with patch.object(Machine, "add_transition", record):
        yield added


def unproven_session() -> Session:
    menu = shipped_menu(OPERATOR)
    language = menu.supported_language("")
    return Session(OPERATOR, "ussd", "+40740000101", menu.revision, "home", language, line_kind="mobile")


def guarded_trigger(table: TransitionTable) -> str:
    """Return a keyword's trigger whose screen needs a proof."""
    menu = shipped_menu(OPERATOR)
    return next(f"enter {name}" for name in menu.keywords.targets if menu.nodes[name].needs == "line")


def test_compiling_a_pack_gives_the_machine_no_edge(
    added_edges: list[tuple[str, str]], table: TransitionTable
) -> None:
    table.fire("agent", unproven_session())
    assert added_edges == []


def test_a_guarded_edge_is_given_to_the_machine_once(
    added_edges: list[tuple[str, str]], table: TransitionTable
) -> None:
    trigger = guarded_trigger(table)
    first, second = unproven_session(), unproven_session()
    table.fire(trigger, first)
    count = len(added_edges)
    table.fire(trigger, second)
    assert set(added_edges) == {(trigger, "home")} and len(added_edges) == count > 1
    assert first.state == second.state != "home" and first.resume_node == second.resume_node


@pytest.mark.parametrize("trigger", ["ussd 99", "no such trigger"])
def test_a_trigger_without_an_edge_moves_nothing(table: TransitionTable, trigger: str) -> None:
    session = unproven_session()
    for fire in (table.fire, table.fire_on_machine):
        with pytest.raises(NoTransitionError):
            fire(trigger, session)
    assert session.state == "home"
