"""Deferred steps: run a step again from the outbox and send its result by SMS, once."""

import asyncio
import logging
from collections.abc import Mapping

from flows.domain.actions import AS_OF, Action
from flows.domain.failures import TryLater
from flows.domain.records import Change, Errand, Notice
from flows.engine.menu_versions import Shelf
from flows.engine.step_runner import Frame, act
from flows.engine.subscriber_cache import People
from menus.model.session import load
from menus.render.screen import told
from menus.step import take

log = logging.getLogger("dialtree.errand")
PATIENCE_SECONDS = 30.0
"""No caller is waiting, so billing gets more time than in a turn."""
MOST_STEPS = 8
"""Steps one deferred step may run; more means a loop in the pack."""


async def run(errand: Errand, shelf: Shelf, people: People, actions: Mapping[str, Action]) -> None:
    """Run a deferred step; raises TryLater while billing is still down or answers from its cache."""
    session = load(errand.session)
    menu = shelf.of(errand.operator, session.revision) or shelf.current(errand.operator)
    if errand.step not in menu.nodes:
        log.warning("deferred_step.node_missing", extra={"node": errand.step})
        return
    session.channel = "sms"
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    number = session.number
    frame = Frame(menu, people, await people.glimpse(number), actions, errand.key, until, number)
    for _ in range(MOST_STEPS):
        node = menu.nodes[session.state]
        if node.rests:
            break
        outcome = await act(frame, session, node, "", promise=False)
        if outcome.name in ("slow", "down") or AS_OF in outcome.facts:
            raise TryLater
        take(menu, session, outcome.name, outcome.facts, outcome.proof)
    await _text(frame, errand, session.caller, told(menu, session), session.language)


async def _text(frame: Frame, errand: Errand, caller: str, body: str, language: str) -> None:
    """Enqueue the result as SMS under the step's own key, so that a second run sends nothing more.

    An empty result sends nothing.
    """
    if not body:
        return
    key = f"{errand.key}/told"
    notice = Notice(key, errand.operator, caller, "sms", "reply", body, language, expires_at=errand.expires_at)
    world = frame.people.world
    subscription = frame.person.subscriber.id if frame.person.subscriber else ""
    await world.ledger.commit(Change(key, errand.operator, subscription, world.now(), notices=(notice,)))
