"""Step runner: runs a step's action under the turn's deadline and maps failures to outcomes."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta

from flows.domain.actions import Action, ActionRequest, OperatorPorts, Outcome
from flows.domain.failures import Down, Failure, Slow
from flows.domain.records import AuditEntry, ChangeSet, DeferredStep
from flows.engine.subscriber_cache import CallerProfile, SubscriberCache
from flows.services.eligibility import ineligibility_outcome
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.model.facts import Money, Rows, Text
from menus.model.session import Session
from menus.model.value import value_dataclass

log = logging.getLogger("dialtree.turn")
LATE_SCREEN = "house.late"
"""A step whose `slow` outcome leads here is deferred: it runs again later and its result goes by SMS."""
DEFERRED_LIFETIME = timedelta(hours=24)


class LeaseRequiredError(Exception):
    """A step would run in a turn that began without a lease: the turn begins again with one."""


@value_dataclass
class TurnContext:
    """Context of one turn: menu, caller, deadline and the idempotency key its effects share."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    subscribers: SubscriberCache = field(repr=False)
    profile: CallerProfile = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)
    key: str
    deadline: float
    """Event loop time (seconds) at which actions time out."""
    profile_number: str = field(default="", repr=False)
    """The number `profile` was looked up by."""
    is_caller_trusted: bool = False
    """Whether the connection authenticates the caller's own line."""
    is_leased: bool = True
    """Whether this turn has the session to itself; without that no step may run."""
    steps_run: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Steps run so far, each with its outcome."""
    answer_results: list[str] = field(default_factory=list, repr=False)
    """Result of each answer."""
    recordable_answers: list[str] = field(default_factory=list, repr=False)
    """The answers as the conversation history shows them, secrets masked."""


async def run_step(
    context: TurnContext, session: Session, node: Node, typed: str, *, may_defer: bool = True
) -> Outcome:
    """Run one step's action and return its outcome; never raises a `Failure` or `TimeoutError`.

    With `may_defer` a slow step becomes a deferred step. LeaseRequiredError, with nothing done, in a turn
    without a lease: another process may answer the same request.
    """
    if not context.is_leased:
        raise LeaseRequiredError
    action = context.actions[node.action]
    if may_defer and action.is_deferred:
        return await _defer_step(context, session, node)
    try:
        async with asyncio.timeout_at(context.deadline):
            outcome = await _run_action(action, context, session, node, typed)
    except Failure as failure:
        outcome = _failure_outcome(node, failure)
    except TimeoutError:
        outcome = Outcome("slow")
    if may_defer and outcome.name == "slow" and node.on["slow"] == LATE_SCREEN:
        return await _defer_step(context, session, node)
    return outcome


async def _run_action(
    action: Action, context: TurnContext, session: Session, node: Node, typed: str
) -> Outcome:
    """Run the action if the subscriber is eligible and has the proof that the line's kind requires.

    The proof is checked again here, as billing may report the kind only now.
    """
    ask = _build_request(context, session, node, typed, await _find_profile(context, session))
    if not action.is_private:
        return await action.run(ask)
    kind = ask.subscriber.kind if ask.subscriber else session.line_kind
    if not context.menu.transition_table.is_need_met(node.needs, kind, session.proofs):
        raise Down
    outcome = (None if action.ignores_eligibility else ineligibility_outcome(ask)) or await action.run(ask)
    if any(isinstance(fact, Money | Rows) for fact in outcome.facts.values()):
        _audit_read(context, session, node, outcome)
    return outcome


def _audit_read(context: TurnContext, session: Session, node: Node, outcome: Outcome) -> None:
    """Record an audit log entry for a read: any outcome with amounts or lists."""
    bill = outcome.facts.get("bill") or session.facts.get("bill")
    context.ports.ledger.record_audit_entry(
        AuditEntry(
            operator=session.operator,
            actor=session.msisdn,
            action=node.action,
            happened_at=context.ports.now(),
            channel=session.channel,
            object=bill.value if isinstance(bill, Text) else "",
            outcome=outcome.name,
            correlation=context.key,
        )
    )


async def _find_profile(context: TurnContext, session: Session) -> CallerProfile:
    """Return the line's profile; an empty one when billing reports another kind than the caller stated.

    If the first lookup timed out, wait for it here: a step may use the whole action budget.
    """
    is_current = session.msisdn == context.profile_number and context.profile.lookup_failure is not Slow
    profile = context.profile if is_current else await context.subscribers.find(session.msisdn)
    subscriber = profile.subscriber
    is_other_kind = subscriber and session.subject and subscriber.kind != session.line_kind
    return CallerProfile() if is_other_kind else profile


def _build_request(
    context: TurnContext, session: Session, node: Node, typed: str, profile: CallerProfile
) -> ActionRequest:
    ports = context.ports
    return ActionRequest(
        menu=context.menu,
        ports=ports,
        subscriber=profile.subscriber,
        lookup_failure=profile.lookup_failure,
        caller=session.caller,
        channel=session.channel,
        language=session.language,
        proofs=session.proofs,
        argument=node.action_argument,
        input_text=typed,
        facts=session.facts,
        key=f"{context.key}/{node.name}",
        now=ports.now(),
        subject=session.subject,
        is_caller_trusted=context.is_caller_trusted,
        newest_bills=None if context.steps_run else profile.newest_bills,
    )


def _failure_outcome(node: Node, failure: Failure) -> Outcome:
    if failure.should_log:
        log.warning("step.failed", extra={"node": node.name, "failure": type(failure).__name__})
    return Outcome(failure.outcome if failure.outcome in node.on else "down")


async def _defer_step(context: TurnContext, session: Session, node: Node) -> Outcome:
    """Enqueue the step as a deferred step, once; the outcome is `down` when that fails.

    The subscriber is promised an SMS only after the commit.
    """
    now = context.ports.now()
    key = f"{context.key}/{node.name}/errand"
    errand = DeferredStep(key, session.operator, node.name, session.dump(), now + DEFERRED_LIFETIME)
    subscription = context.profile.subscriber.id if context.profile.subscriber else ""
    change = ChangeSet(key, session.operator, subscription, now, "slow", deferred_steps=(errand,))
    try:
        async with asyncio.timeout(context.subscribers.time_budgets.deferral_seconds):
            return Outcome(await context.ports.ledger.commit(change))
    except (Failure, TimeoutError):
        log.error("step.deferral_failed", extra={"node": node.name})
        return Outcome("down")
