"""Session restore: decode the stored session or start a new one, and serialise it after the turn."""

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
    """Decode a stored session; None when there is none, it is unreadable, or it is another caller's."""
    try:
        session = load(data) if data else None
    except ValueError:
        log.error("session.decode_failed")
        return None
    if session and _whose(session) != _whose(inbound):
        log.error("session.caller_mismatch", extra={"operator": inbound.operator})
        return None
    return session


def _whose(source: Session | Inbound) -> tuple[str, str, str]:
    return source.operator, source.channel, source.caller


def changed_hands(session: Session, person: Person) -> bool:
    """Return whether the number has a new owner since the session started (T8).

    The new owner must not get what the previous one entered or proved.
    """
    return bool(person.owner and session.owner and person.owner != session.owner)


def resumed(
    shelf: Shelf, inbound: Inbound, session: Session | None, person: Person
) -> tuple[Menu, Session, str]:
    """Return the menu, the restored or new session, and the name of a note to show (or an empty string).

    A session whose screen no longer exists restarts at home with the note `note.restarted`.
    """
    current = shelf.current(inbound.operator)
    if session is None:
        return current, _begun(current, inbound, person), ""
    menu = shelf.of(inbound.operator, session.revision) or current
    session.revision, session.language = menu.revision, menu.language(session.language)
    session.owner = session.owner or person.owner
    if person.subscriber and not session.kind:  # billing did not answer in time on an earlier turn
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
    """Serialise the session; None once it has ended (an SMS conversation restarts at home instead)."""
    if reply.ends and not SURFACES[session.channel].messages:
        return None
    if reply.ends:
        session.state, session.trail, session.facts, session.turn = HOME, (), {}, 0
    return session.dump()
