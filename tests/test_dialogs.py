"""Every dialog, played; `pytest tests/test_dialogs.py --rewrite` writes down what is said now."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway import packs
from gateway.dialog import write
from menus.check import reachable
from menus.machine import forward
from menus.pack import draft
from tests.runs import PATHS, Runs, keep, load, named, of_operator
from tests.world import CHANNELS, OPERATOR

FAULTS = frozenset({"slow", "down"})
"""Outcomes the dialogs under `faults/` show."""
UNLIKE: Mapping[str, str] = {
    "invoice.open unknown": "who picks a bill has one",
    "invoice.lines unknown": "who opens a bill has one",
    "code.request unknown": "a stranger is told what a subscriber is told",
    "code.prove unknown": "a stranger is told what a subscriber is told",
    "code.check unknown": "a stranger is told what a subscriber is told",
    "code.by_password unknown": "a stranger is told what a wrong password is told",
    "code.by_password hidden": "a password without a number is a wrong password",
    "notify.sms address": "a text needs no e-mail address",
    "notify.sms pending": "a text needs no e-mail address",
}
"""Outcomes a step has an edge for and never has, and why."""


def never(channel: str, trigger: str, origin: str) -> str:
    """Why a move is never made; empty when it may be."""
    barred = trigger == "refused" and origin != "code.by_password"
    if barred or trigger in ("agency", "newcomer"):
        return "the operator's rules leave nobody out"
    if trigger == "early":
        return "bills are published the day they are issued"
    if trigger == "hidden" and channel != "voice":
        return "only a call can hide its number"
    return UNLIKE.get(f"{origin} {trigger}", "")


@pytest.mark.parametrize("path", PATHS, ids=named)
async def test_dialog(path: Path, runs: Runs, request: pytest.FixtureRequest) -> None:
    dialog = load(path)
    written = write(dialog, (await runs.of(path)).brought)
    if request.config.getoption("--rewrite"):
        keep(path, written)
    assert written == "\n".join([*load(path).lines, ""])


def edges(channel: str) -> Iterator[tuple[str, str]]:
    """The moves of the pack a subscriber can make on a channel: trigger and origin."""
    pack = draft(packs.folder(OPERATOR), packs.PLACES)
    for name in sorted(reachable(pack, channel)):
        for trigger, origin, _ in forward(pack.nodes[name]):
            if " " not in trigger or trigger.startswith(f"{channel} "):
                yield trigger, origin


@pytest.mark.parametrize("channel", CHANNELS)
async def test_every_move_a_subscriber_can_make_is_in_a_dialog(channel: str, runs: Runs) -> None:
    played = [await runs.of(path) for path in of_operator(OPERATOR)]
    made = {(trigger, origin) for run in played for on, trigger, origin in run.fired if on == channel}
    missing = {edge for edge in edges(channel) if edge[0] not in FAULTS and not never(channel, *edge)} - made
    assert not missing


async def test_what_never_happens_does_not(runs: Runs) -> None:
    played = [await runs.of(path) for path in of_operator(OPERATOR)]
    assert not {move for run in played for move in run.fired if never(*move)}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("channel", CHANNELS)
async def test_every_fault_is_in_a_dialog_on_every_channel(channel: str, fault: str, runs: Runs) -> None:
    played = [await runs.of(path) for path in of_operator(OPERATOR)]
    assert any(on == channel and trigger == fault for run in played for on, trigger, _ in run.fired)
