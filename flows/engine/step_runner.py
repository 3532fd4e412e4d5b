"""Acting: running a step's action under the turn's deadline, every failure turned into its outcome."""

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
"""A step whose `slow` leads here is promised: an errand runs it again and texts what it shows."""
ERRAND_LIFE = timedelta(hours=24)


@value
class Frame:
    """One turn's frame: the menu it runs on, whom it is about, until when, and the key its effects share."""

    menu: Menu = field(repr=False)
    people: People = field(repr=False)
    person: Person = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)
    key: str
    until: float
    """Loop time after which actions are too late."""
    number: str = field(default="", repr=False)
    """The number `person` was found by."""
    trusted: bool = False
    """Does the connection prove the caller's own line?"""
    passed: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """The steps run so far, each with its outcome."""
    said: list[str] = field(default_factory=list, repr=False)
    """What each answer did."""


async def act(frame: Frame, session: Session, node: Node, typed: str, *, promise: bool = True) -> Outcome:
    """Run one step; never raises a Failure or a timeout. `promise` lets a slow one become an errand."""
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
    """The action, unless the rules bar it; what a late answer shows to be unproven is not run either."""
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
    """The audit trail hears of every answer with amounts or lists in it."""
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
    """Who stands behind the line; nobody when it is of another kind than was said.

    Whom the first screen did not wait for, a step waits for: it has the turn's time.
    """
    here = session.number == frame.number and frame.person.failure is not Slow
    person = frame.person if here else await frame.people.find(session.number)
    known = person.subscriber
    return Person() if known and session.subject and known.kind != session.kind else person


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
        log.warning("step failed", extra={"node": node.name, "failure": type(failure).__name__})
    return Outcome(failure.outcome if failure.outcome in node.on else "down")


async def _promise(frame: Frame, session: Session, node: Node) -> Outcome:
    """Put the step into the outbox, once; only a promise written down may be made."""
    now = frame.people.world.now()
    key = f"{frame.key}/{node.name}/errand"
    errand = Errand(key, session.operator, node.name, session.dump(), now + ERRAND_LIFE)
    subscription = frame.person.subscriber.id if frame.person.subscriber else ""
    change = Change(key, session.operator, subscription, now, "slow", errands=(errand,))
    try:
        async with asyncio.timeout(frame.people.patience.promise):
            return Outcome(await frame.people.world.ledger.commit(change))
    except (Failure, TimeoutError):
        log.error("promise not kept", extra={"node": node.name})
        return Outcome("down")
