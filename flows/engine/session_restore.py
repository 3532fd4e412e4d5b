"""Session restore: decode the stored session or start a new one, and serialise it after the turn."""

import logging

from flows.domain.ports import OpenedSession
from flows.engine.inbound import Inbound
from flows.engine.menu_versions import MenuVersions
from flows.engine.subscriber_cache import CallerProfile
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import HOME
from menus.model.reply import Reply
from menus.model.session import Session, load_session
from menus.resumption import (
    can_continue,
    hold_earlier,
    is_resumable,
    offer_to_continue,
    offered_session,
    without_turns,
)

log = logging.getLogger("dialtree.turn")


def decode_session(data: bytes | None, inbound: Inbound) -> Session | None:
    """Decode a stored session; None when there is none, it is unreadable, or it is another caller's."""
    try:
        session = load_session(data) if data else None
    except ValueError:
        log.error("session.decode_failed")
        return None
    if session and _session_identity(session) != _session_identity(inbound):
        log.error("session.caller_mismatch", extra={"operator": inbound.operator})
        return None
    return session


def hides_subscriber(inbound: Inbound) -> bool:
    """Return whether the answer must not show that the number is known: it may go to a spoofed caller.

    A text goes to the number itself, whoever wrote from it.
    """
    return inbound.trust != "line" and not SURFACES[inbound.channel].is_message_based


def _session_identity(source: Session | Inbound) -> tuple[str, str, str]:
    return source.operator, source.channel, source.caller


def owner_changed(session: Session, profile: CallerProfile) -> bool:
    """Return whether the number has a new owner since the session started (T8).

    The new owner must not get what the previous one entered or proved.
    """
    return bool(profile.owner_hash and session.owner_hash and profile.owner_hash != session.owner_hash)


def restore_or_start(
    menu_versions: MenuVersions,
    inbound: Inbound,
    session: Session | None,
    profile: CallerProfile,
    caller_hash: str,
) -> tuple[Menu, Session, str]:
    """Return the menu, the restored or new session, and the name of a note to show (or an empty string).

    A new session is on the menu its caller's side of a trial has; `caller_hash` is the keyed hash of the
    number. A session whose screen no longer exists restarts at home with the note `note.restarted`.
    """
    if session is None:
        chosen = menu_versions.menu_for_caller(inbound.operator, caller_hash if inbound.caller else "")
        return chosen, _new_session(chosen, inbound, profile), ""
    current = menu_versions.current_menu(inbound.operator)
    menu = menu_versions.find_revision(inbound.operator, session.revision) or current
    session.revision, session.language = menu.revision, menu.supported_language(session.language)
    session.owner_hash = session.owner_hash or profile.owner_hash
    if profile.subscriber and not session.line_kind:  # billing was not asked, or did not answer, before
        session.line_kind = profile.subscriber.kind
        session.language = session.language if hides_subscriber(inbound) else _language_for(menu, profile)
    if session.state in menu.nodes:
        return menu, session, ""
    session.state, session.trail, session.facts, session.page, session.notes = HOME, (), {}, 0, ()
    return menu, session, "note.restarted"


def find_earlier(menu: Menu, inbound: Inbound, opened: OpenedSession) -> Session | None:
    """Return the caller's dropped session; None when there is none.

    Providers that use a session id again and say that a session begins bring the dropped session itself.
    """
    point = opened.resume_point or (opened.session if inbound.begins else None)
    dropped = decode_session(point, inbound)
    if dropped is None or dropped.state not in menu.nodes or not is_resumable(menu, dropped):
        return None
    offered = offered_session(dropped)
    earlier = decode_session(offered, inbound) if offered else dropped
    return without_turns(earlier) if earlier else None


def offer_earlier(
    menu: Menu, inbound: Inbound, session: Session, earlier: Session | None, profile: CallerProfile
) -> None:
    """Put a new session on the offer to continue the caller's dropped one, where that may be continued.

    Where the connection does not prove the caller, nothing is said of it until a proof.
    """
    if earlier is None or (not earlier.subject and owner_changed(earlier, profile)):
        return
    if hides_subscriber(inbound):
        hold_earlier(session, earlier)
        return
    if can_continue(menu, session, earlier):
        offer_to_continue(session, earlier)


def _new_session(menu: Menu, inbound: Inbound, profile: CallerProfile) -> Session:
    return Session(
        operator=inbound.operator,
        channel=inbound.channel,
        caller=inbound.caller,
        revision=menu.revision,
        state=HOME,
        language=menu.supported_language("") if hides_subscriber(inbound) else _language_for(menu, profile),
        line_kind=profile.subscriber.kind if profile.subscriber else "",
        proofs=("line",) if inbound.trust == "line" and inbound.caller else (),
        owner_hash=profile.owner_hash,
        page_size=inbound.page_size,
    )


def _language_for(menu: Menu, profile: CallerProfile) -> str:
    return menu.supported_language(profile.language)


def session_to_store(session: Session, reply: Reply) -> bytes | None:
    """Serialise the session; None once it has ended (an SMS conversation restarts at home instead)."""
    if reply.ends_session and not SURFACES[session.channel].is_message_based:
        return None
    if reply.ends_session:
        session.state, session.trail, session.facts, session.turn = HOME, (), {}, 0
    return session.dump()
