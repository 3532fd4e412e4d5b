"""Resuming: the session a turn goes on with, as it was left or begun anew, and what is left of it after."""

import logging

from flows.engine.inbound import Inbound
from flows.engine.menu_versions import Shelf
from flows.engine.subscriber_cache import Person
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import HOME
from menus.model.reply import Reply
from menus.model.session import Session, load

log = logging.getLogger("dialtree.turn")


def loaded(data: bytes | None, inbound: Inbound) -> Session | None:
    """The session in these bytes; None when there is none, none that can be read, or another caller's."""
    try:
        session = load(data) if data else None
    except ValueError:
        log.error("session not readable")
        return None
    if session and _whose(session) != _whose(inbound):
        log.error("session of another caller", extra={"operator": inbound.operator})
        return None
    return session


def _whose(told: Session | Inbound) -> tuple[str, str, str]:
    return told.operator, told.channel, told.caller


def changed_hands(session: Session, person: Person) -> bool:
    """Has the number a new owner since this began (T8)? What was said and proven before is not theirs."""
    return bool(person.owner and session.owner and person.owner != session.owner)


def resumed(
    shelf: Shelf, inbound: Inbound, session: Session | None, person: Person
) -> tuple[Menu, Session, str]:
    """The session as it was left, or a new one; with a note when its screen is gone."""
    current = shelf.current(inbound.operator)
    if session is None:
        return current, _begun(current, inbound, person), ""
    menu = shelf.of(inbound.operator, session.revision) or current
    session.revision, session.language = menu.revision, menu.language(session.language)
    session.owner = session.owner or person.owner
    if person.subscriber and not session.kind:  # billing did not say in time at first
        session.kind, session.language = person.subscriber.kind, menu.language(person.language)
    if session.state in menu.nodes:
        return menu, session, ""
    session.state, session.trail, session.facts, session.page, session.notes = HOME, (), {}, 0, ()
    return menu, session, "note.restarted"


def _begun(menu: Menu, inbound: Inbound, person: Person) -> Session:
    return Session(
        operator=inbound.operator,
        channel=inbound.channel,
        caller=inbound.caller,
        revision=menu.revision,
        state=HOME,
        language=menu.language(person.language),
        kind=person.subscriber.kind if person.subscriber else "",
        proofs=("line",) if inbound.trust == "line" and inbound.caller else (),
        owner=person.owner,
    )


def left(session: Session, reply: Reply) -> bytes | None:
    """What stays of the session: nothing after an end, except where a conversation has none."""
    if reply.ends and not SURFACES[session.channel].messages:
        return None
    if reply.ends:
        session.state, session.trail, session.facts, session.turn = HOME, (), {}, 0
    return session.dump()
