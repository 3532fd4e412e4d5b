"""Deferred steps: run a step again from the outbox and send its result by SMS, once."""

import asyncio
import logging
from collections.abc import Mapping

from flows.domain.actions import AS_OF, Action, OperatorPorts
from flows.domain.failures import TryLater
from flows.domain.records import ChangeSet, DeferredStep, OutboundMessage
from flows.engine.menu_versions import MenuVersions
from flows.engine.step_runner import TurnContext, run_step
from flows.engine.subscriber_cache import SubscriberCache
from menus.model.session import load_session
from menus.render.text_screen import as_message
from menus.step import follow_outcome

log = logging.getLogger("dialtree.errand")
TIME_BUDGET_SECONDS = 30.0
"""No caller is waiting, so billing gets more time than in a turn."""
MAX_STEPS = 8
"""Steps one deferred step may run; more means a loop in the pack."""


async def run_deferred_step(
    deferred_step: DeferredStep,
    menu_versions: MenuVersions,
    ports: OperatorPorts,
    subscribers: SubscriberCache,
    actions: Mapping[str, Action],
) -> None:
    """Run a deferred step; raises TryLater while billing is still down or answers from its cache."""
    session = load_session(deferred_step.session)
    menu = menu_versions.find_revision(deferred_step.operator, session.revision) or menu_versions.current_menu(
        deferred_step.operator
    )
    if deferred_step.step not in menu.nodes:
        log.warning("deferred_step.node_missing", extra={"node": deferred_step.step})
        return
    session.channel = "sms"
    until = asyncio.get_running_loop().time() + TIME_BUDGET_SECONDS
    number = session.msisdn
    profile = await subscribers.find_quickly(number)
    frame = TurnContext(menu, ports, subscribers, profile, actions, deferred_step.key, until, number)
    for _ in range(MAX_STEPS):
        node = menu.nodes[session.state]
        if node.is_waiting:
            break
        outcome = await run_step(frame, session, node, "", may_defer=False)
        frame.steps_run.append((node.name, outcome.name))
        if outcome.name in ("slow", "down") or AS_OF in outcome.facts:
            raise TryLater
        follow_outcome(menu, session, outcome.name, outcome.facts, outcome.proof)
    await _send_result(frame, deferred_step, session.caller, as_message(menu, session), session.language)


async def _send_result(
    context: TurnContext, deferred_step: DeferredStep, caller: str, body: str, language: str
) -> None:
    """Enqueue the result as SMS under the step's own key, so that a second run sends nothing more.

    An empty result sends nothing.
    """
    if not body:
        return
    key = f"{deferred_step.key}/told"
    notice = OutboundMessage(
        key, deferred_step.operator, caller, "sms", "reply", body, language, expires_at=deferred_step.expires_at
    )
    ports = context.ports
    subscription = context.profile.subscriber.id if context.profile.subscriber else ""
    await ports.ledger.commit(
        ChangeSet(key, deferred_step.operator, subscription, ports.now(), messages=(notice,))
    )
