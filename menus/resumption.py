"""Session resumption: where a dropped session can be continued when its caller dials again.

A resume point is the session as it was stored last. Nothing proven carries over: its `proofs` only name what
is asked again before the session goes on, and no answer of the new session reaches a screen of the old one
unseen.
"""

from collections.abc import Iterator
from dataclasses import replace

from menus.machine.menu import Menu
from menus.machine.proof_rules import ADDRESS_NEED, PROOFS_MEETING_NEED
from menus.machine.screen import RESUME_OFFER, Node
from menus.machine.transitions_table import CONTINUE, HOME, PROVE, RESUME
from menus.model.facts import Text
from menus.model.session import Session, load_session
from menus.step import switch_line

RESUME_FACT = "resume"
"""Name of the fact that holds the resume point until it is taken or given up."""


def is_resumable(menu: Menu, session: Session) -> bool:
    """Return whether a caller who is dropped now has something to continue.

    While the offer to continue is open, or a proof is asked for it, that is still the earlier session.
    """
    if RESUME_FACT in session.facts:
        return True
    return session.state != HOME and _asks_something(menu.nodes[session.state])


def offered_session(session: Session) -> bytes | None:
    """Return the earlier session that a dropped one offered to continue; None when it offered none."""
    held = session.facts.get(RESUME_FACT)
    return held.value.encode() if isinstance(held, Text) else None


def without_turns(session: Session) -> Session:
    """Return a dropped session as it can be continued: its page, counts and watermark begin anew."""
    return replace(session, page=0, notes=(), misses=0, silences=0, turn=0, watermark="", dial=0)


def can_continue(menu: Menu, session: Session, earlier: Session) -> bool:
    """Return whether the new session may be offered to continue the earlier one.

    Not where a proof given then cannot be asked again; nor to a proven caller what nobody proved: it came by
    a connection that vouches for no number, so anybody may have typed what it holds.
    """
    if session.proofs and not earlier.proofs and not earlier.subject:
        return False
    proofs = () if earlier.subject else session.proofs
    lost = [proof for proof in earlier.proofs if proof not in proofs]
    return _is_same_menu(menu, earlier) and all(_gate_need(menu, proof) for proof in lost)


def hold_earlier(session: Session, earlier: Session) -> None:
    """Keep the earlier session in a new one whose caller has proven nothing yet, and say nothing of it.

    One that had no proof either is given up: anybody may have been its caller.
    """
    if earlier.proofs:
        session.facts[RESUME_FACT] = Text(earlier.dump().decode())


def offer_held(menu: Menu, session: Session) -> None:
    """Offer a session that was held until a proof, once all proofs it had are given for the same line.

    Not while it is being continued.
    """
    held = offered_session(session)
    if held is None or CONTINUE in (session.state, session.resume_node):
        return
    earlier = load_session(held)
    is_proven = set(earlier.proofs) <= set(session.proofs)
    is_same_line = earlier.subject == session.subject and earlier.owner_hash in ("", session.owner_hash)
    if is_proven and is_same_line and _is_same_menu(menu, earlier):
        session.state, session.resume_node, session.trail = RESUME_OFFER, "", ()
        session.facts = {RESUME_FACT: session.facts[RESUME_FACT]}


def offer_to_continue(session: Session, earlier: Session) -> None:
    """Put the new session on the screen that offers to continue, in the language of the earlier one."""
    session.state, session.language = RESUME_OFFER, earlier.language
    session.facts = {RESUME_FACT: Text(earlier.dump().decode())}


def continue_earlier(menu: Menu, session: Session) -> None:
    """Go on where the earlier session was dropped, or first to the node that asks for a proof it had.

    Call it at the node `house.continue`, once more after each proof. ValueError without an earlier session.
    """
    earlier = _held_session(session)
    if session.subject != earlier.subject:
        held = session.facts
        switch_line(session, earlier.subject, earlier.line_kind, trusted=False)
        session.facts = held
    unmet = next(_unmet_needs(menu, session, earlier), "")
    if unmet:
        session.resume_node = CONTINUE
        menu.transition_table.fire(f"{PROVE} {unmet}", session)
        return
    _restore(session, earlier)
    menu.transition_table.fire(f"{RESUME} {earlier.state}", session)


def _is_same_menu(menu: Menu, earlier: Session) -> bool:
    return earlier.revision == menu.revision and earlier.state in menu.nodes


def _asks_something(node: Node) -> bool:
    """Return whether a screen waits for more than navigation: a plain message has told all it had to tell."""
    return (
        node.is_waiting
        and not node.is_final
        and bool(node.options or node.accept or (node.each and node.each.to))
    )


def _held_session(session: Session) -> Session:
    return load_session(offered_session(session) or b"")


def _restore(session: Session, earlier: Session) -> None:
    """Take over all that the earlier session had entered; the proofs are those given in this one."""
    session.trail, session.facts, session.resume_node = earlier.trail, earlier.facts, earlier.resume_node
    session.line_kind = session.line_kind or earlier.line_kind
    session.owner_hash = earlier.owner_hash or session.owner_hash
    session.language = earlier.language


def _unmet_needs(menu: Menu, session: Session, earlier: Session) -> Iterator[str]:
    """Yield the needs with a gate that the earlier session's proofs met and this one's do not."""
    needs = (_gate_need(menu, proof) for proof in earlier.proofs if proof not in session.proofs)
    for need in filter(None, needs):
        if not menu.transition_table.is_need_met(need, session.line_kind, session.proofs):
            yield need


def _gate_need(menu: Menu, proof: str) -> str:
    """Return the need whose gate asks for a proof; empty when no gate does."""
    gates = menu.config.gates
    needs = (need for need in gates if need != ADDRESS_NEED)
    return next((need for need in needs if proof in PROOFS_MEETING_NEED.get(need, ())), "")
