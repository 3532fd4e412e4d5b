"""Step runner: runs a step's action under the turn's deadline and maps failures to outcomes."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta

from flows.domain.actions import Action, Ask, Outcome
from flows.domain.failures import Down, Failure, Slow
from flows.domain.records import Change, Deed, Errand
from flows.engine.subscriber_cache import People, Person
from flows.services.eligibility import barred
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.model.facts import Money, Rows, Text
from menus.model.session import Session
from menus.model.value import value

log = logging.getLogger("dialtree.turn")
LATE = "house.late"
"""A step whose `slow` outcome leads here is deferred: it runs again later and its result goes by SMS."""
ERRAND_LIFE = timedelta(hours=24)


@value
class Frame:
    """Context of one turn: menu, caller, deadline and the idempotency key its effects share."""

    menu: Menu = field(repr=False)
    people: People = field(repr=False)
    person: Person = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)
    key: str
    until: float
    """Event loop time (seconds) at which actions time out."""
    number: str = field(default="", repr=False)
    """The number `profile` was looked up by."""
    trusted: bool = False
    """Whether the connection authenticates the caller's own line."""
    passed: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Steps run so far, each with its outcome."""
    said: list[str] = field(default_factory=list, repr=False)
    """Result of each answer."""


async def act(frame: Frame, session: Session, node: Node, typed: str, *, promise: bool = True) -> Outcome:
    """Run one step's action and return its outcome; never raises a `Failure` or `TimeoutError`.

    With `may_defer` a slow step becomes a deferred step.
    """
    action = frame.actions[node.action]
    if promise and action.later:
        return await _promise(frame, session, node)
    try:
        async with asyncio.timeout_at(frame.until):
            outcome = await _run(action, frame, session, node, typed)
    except Failure as failure:
        outcome = _failed(node, failure)
    except TimeoutError:
        outcome = Outcome("slow")
    if promise and outcome.name == "slow" and node.on["slow"] == LATE:
        return await _promise(frame, session, node)
    return outcome


async def _run(action: Action, frame: Frame, session: Session, node: Node, typed: str) -> Outcome:
    """Run the action if the subscriber is eligible and has the proof that the line's kind requires.

    The proof is checked again here, as billing may report the kind only now.
    """
    ask = _ask(frame, session, node, typed, await _person(frame, session))
    if not action.private:
        return await action.run(ask)
    kind = ask.subscriber.kind if ask.subscriber else session.kind
    if not frame.menu.moves.met(node.needs, kind, session.proofs):
        raise Down
    outcome = (None if action.for_all else barred(ask)) or await action.run(ask)
    if any(isinstance(fact, Money | Rows) for fact in outcome.facts.values()):
        _read(frame, session, node, outcome)
    return outcome


def _read(frame: Frame, session: Session, node: Node, outcome: Outcome) -> None:
    """Record an audit log entry for a read: any outcome with amounts or lists."""
    bill = outcome.facts.get("bill") or session.facts.get("bill")
    frame.people.world.ledger.note(
        Deed(
            operator=session.operator,
            actor=session.number,
            action=node.action,
            at=frame.people.world.now(),
            channel=session.channel,
            object=bill.value if isinstance(bill, Text) else "",
            outcome=outcome.name,
            correlation=frame.key,
        )
    )


async def _person(frame: Frame, session: Session) -> Person:
    """Return the line's profile; an empty one when billing reports another kind than the caller stated.

    If the first lookup timed out, wait for it here: a step may use the whole action budget.
    """
    is_current = session.number == frame.number and frame.person.failure is not Slow
    profile = frame.person if is_current else await frame.people.find(session.number)
    subscriber = profile.subscriber
    is_other_kind = subscriber and session.subject and subscriber.kind != session.kind
    return Person() if is_other_kind else profile


def _ask(frame: Frame, session: Session, node: Node, typed: str, person: Person) -> Ask:
    world = frame.people.world
    return Ask(
        menu=frame.menu,
        world=world,
        subscriber=person.subscriber,
        missing=person.failure,
        caller=session.caller,
        channel=session.channel,
        language=session.language,
        proofs=session.proofs,
        given=node.given,
        typed=typed,
        facts=session.facts,
        key=f"{frame.key}/{node.name}",
        now=world.now(),
        subject=session.subject,
        trusted=frame.trusted,
    )


def _failed(node: Node, failure: Failure) -> Outcome:
    if failure.logged:
        log.warning("step.failed", extra={"node": node.name, "failure": type(failure).__name__})
    return Outcome(failure.outcome if failure.outcome in node.on else "down")


async def _promise(frame: Frame, session: Session, node: Node) -> Outcome:
    """Enqueue the step as a deferred step, once; the outcome is `down` when that fails.

    The subscriber is promised an SMS only after the commit.
    """
    now = frame.people.world.now()
    key = f"{frame.key}/{node.name}/errand"
    errand = Errand(key, session.operator, node.name, session.dump(), now + ERRAND_LIFE)
    subscription = frame.person.subscriber.id if frame.person.subscriber else ""
    change = Change(key, session.operator, subscription, now, "slow", errands=(errand,))
    try:
        async with asyncio.timeout(frame.people.patience.promise):
            return Outcome(await frame.people.world.ledger.commit(change))
    except (Failure, TimeoutError):
        log.error("step.deferral_failed", extra={"node": node.name})
        return Outcome("down")
