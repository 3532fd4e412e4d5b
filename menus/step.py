"""The step: (session, what was typed) -> the session on its next screen or step. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Literal

from menus.machine.menu import Menu
from menus.machine.options import more_key
from menus.machine.screen import SAID, Node
from menus.machine.surface import SURFACES, Surface
from menus.machine.transitions_table import HOME, RESUME, NoMoveError
from menus.model.facts import Email, Fact, Number, Rows, Text
from menus.model.session import Session
from menus.model.value import value
from menus.packfile.schema import AcceptForm
from menus.render.screen import page_count
from menus.text.input_parsing import as_date, as_digits, as_email, key_of, month_like
from menus.text.keywords import Meaning

MOST_TRAIL = 12
"""Screens remembered behind the current one; older ones are forgotten first."""


@value
class Heard:
    """What an answer did: moved the session, turned a page, or changed nothing and why."""

    what: Literal["moved", "page", "again", "empty", "wrong"]
    typed: str = field(default="", repr=False)
    """The value for the next step; kept only while that step's proof is asked, and no secret ever is."""
    secret: bool = False


def hear(menu: Menu, session: Session, text: str) -> Heard:
    """Take one answer on the current screen."""
    if over(menu, session):
        return Heard("moved")
    if not text.strip():
        return _missed(menu, session, "empty")
    return _taken(menu, session, text) or _missed(menu, session, "wrong")


def _taken(menu: Menu, session: Session, text: str) -> Heard | None:
    """What a valid answer does, wherever it leads: with it misses and silences are no longer in a row."""
    node, key = menu.nodes[session.state], key_of(text)
    heard = (
        _navigated(menu, session, node, SURFACES[session.channel], key)
        or _chosen(menu, session, node, key)
        or _typed(menu, session, node, text)
    )
    if heard:
        session.misses = session.silences = 0
    return heard


def silent(menu: Menu, session: Session) -> Heard:
    """The caller pressed nothing: counted apart from wrong keys."""
    session.silences += 1
    if session.silences >= menu.form.rules.misses:
        return _given_up(menu, session, "bye")
    return Heard("moved") if over(menu, session) else Heard("empty")


def over(menu: Menu, session: Session) -> bool:
    """Has the call lasted as long as a call may? Then goodbye."""
    if session.channel != "voice" or session.turn < menu.form.voice.most_turns:
        return False
    menu.moves.fire("bye", session)
    return True


def _given_up(menu: Menu, session: Session, goodbye: str) -> Heard:
    """Enough wrong answers or silences: a person, where the rules have one for callers, or goodbye."""
    agent = session.channel == "voice" and menu.form.rules.lost == "agent"
    menu.moves.fire("agent" if agent else goodbye, session)
    return Heard("moved")


def enter(menu: Menu, session: Session, meaning: Meaning) -> Heard:
    """A keyword: leave wherever we were and go where it leads."""
    session.state, session.trail, session.page, session.notes, session.facts = HOME, (), 0, (), {}
    if meaning.keep:
        session.facts[meaning.keep] = Text(meaning.typed)
    menu.moves.fire(f"enter {meaning.to}", session)
    return Heard("moved", meaning.typed, meaning.secret)


HELD = "held"
"""The fact an open answer waits under while its step's proof is asked."""


def hold(menu: Menu, session: Session, heard: Heard) -> None:
    """Keep an answer whose step waits behind a proof; a secret is never kept."""
    if heard.typed and not heard.secret and session.state in menu.form.gates.values():
        session.facts[HELD] = Text(heard.typed)


def held(session: Session) -> str:
    """The answer that waited, once."""
    waiting = session.facts.pop(HELD, None)
    return waiting.value if isinstance(waiting, Text) else ""


def take(menu: Menu, session: Session, outcome: str, facts: Mapping[str, Fact | Rows], proof: str) -> None:
    """A step's outcome: keep what it found and follow the edge the table gives it."""
    session.facts.update(facts)
    if proof and proof not in session.proofs:
        session.proofs = (*session.proofs, proof)
    if menu.nodes[session.state].on[outcome] != RESUME:
        menu.moves.fire(outcome, session)
        return
    menu.moves.fire(f"{RESUME} {session.then}", session)
    session.then = ""


def turn_to(session: Session, number: str, kind: str, *, trusted: bool) -> None:
    """Make the conversation about another line: what was proven and shown for the one before is gone."""
    session.subject, session.kind = "" if number == session.caller else number, kind
    session.proofs = ("line",) if trusted and not session.subject and number else ()
    session.trail, session.page, session.notes, session.facts, session.then = (), 0, (), {}, ""
    session.owner = ""


def settle(menu: Menu, session: Session, origin: str) -> None:
    """The session rests on a new screen: note what lies behind it."""
    session.page = session.misses = session.silences = 0
    session.notes = ()
    here = session.state
    if here == HOME:
        session.trail, session.facts = (), {}
    elif here in session.trail:
        session.trail = session.trail[: session.trail.index(here)]
    elif _may_return(menu.nodes[origin]) and origin != here:
        session.trail = (*session.trail, origin)[-MOST_TRAIL:]


def _may_return(node: Node) -> bool:
    return node.rests and not node.passing and not node.closes


def _missed(menu: Menu, session: Session, why: Literal["empty", "wrong"]) -> Heard:
    session.misses += 1
    if session.misses < menu.form.rules.misses:
        return Heard(why)
    return _given_up(menu, session, "lost")


def _navigated(menu: Menu, session: Session, node: Node, surface: Surface, key: str) -> Heard | None:
    if (session.channel, key) in node.keys:
        return None
    if key == surface.repeat:
        return Heard("again")
    if key == more_key(node, session) and session.page + 1 < page_count(menu, session):
        session.page += 1
        return Heard("page")
    moves: Mapping[str, Callable[[Menu, Session], Heard]] = {
        surface.home: _go("home"),
        surface.agent: _go("agent"),
        surface.back: _back,
    }
    return moves[key](menu, session) if key and key in moves else None


def _go(word: str) -> Callable[[Menu, Session], Heard]:
    def go(menu: Menu, session: Session) -> Heard:
        menu.moves.fire(word, session)
        return Heard("moved")

    return go


def _back(menu: Menu, session: Session) -> Heard:
    if session.page:
        session.page -= 1
        return Heard("page")
    if not session.trail:
        leave = SURFACES[session.channel].leave and session.state == HOME
        menu.moves.fire("bye" if leave else "home", session)
        return Heard("moved")
    try:
        menu.moves.fire(f"back {session.trail[-1]}", session)
    except NoMoveError:
        # the trail was written by another revision of this pack
        menu.moves.fire("home", session)
    return Heard("moved")


def _chosen(menu: Menu, session: Session, node: Node, key: str) -> Heard | None:
    if (session.channel, key) in node.keys:
        menu.moves.fire(f"{session.channel} {key}", session)
        return Heard("moved", _agreed(session) if node.reads_back else "")
    rows = session.facts.get(node.each.of) if node.each and node.each.to else None
    place = int(as_digits(key, 1, 2) or 0)
    if isinstance(rows, Rows) and 0 < place <= len(rows.rows):
        session.facts.update(rows.row(place - 1))
        menu.moves.fire("pick", session)
        return Heard("moved")
    return None


def _typed(menu: Menu, session: Session, node: Node, text: str) -> Heard | None:
    if node.accept is None:
        return None
    taken = accepted(menu, node.accept, text) or _heard(menu, session, node.accept, text)
    if taken is None:
        return None
    if node.accept.keep and not node.accept.secret:
        session.facts[node.accept.keep] = _KEPT.get(node.accept.type, Text)(taken)
    if not node.accept.speech:
        menu.moves.fire("typed", session)
        return Heard("moved", taken, node.secret)
    session.facts[SAID] = _KEPT.get(node.accept.type, Text)(taken)
    menu.moves.fire(f"{session.channel} typed", session)
    return Heard("moved", taken)


def _heard(menu: Menu, session: Session, accept: AcceptForm, text: str) -> str | None:
    """The value of what a caller said, where it may be said."""
    if session.channel != "voice" or not accept.speech:
        return None
    return accepted(menu, accept, menu.tongues[session.language].ear.digits(text))


def _agreed(session: Session) -> str:
    """What was read back and is right."""
    said = session.facts.get(SAID)
    return said.value if isinstance(said, Number | Text) else ""


_KEPT: Mapping[str, Callable[[str], Fact]] = {"email": Email, "msisdn": Number}


def accepted(menu: Menu, accept: AcceptForm, text: str) -> str | None:
    """The value an input screen takes from a text; None when it is not of its type."""
    if accept.type == "digits":
        return as_digits(text, accept.least, accept.most)
    if accept.type == "email":
        return as_email(text)
    if accept.type == "msisdn":
        return menu.msisdn(text)
    if accept.type == "month":
        return month_like(text)
    if accept.type == "date":
        day = as_date(text)
        return day.isoformat() if day else None
    text = text if accept.type == "password" else text.strip()
    return text if accept.least <= len(text) <= accept.most else None


def text_in(menu: Menu, session: Session, body: str) -> Heard:
    """A texted body: a keyword first, then an answer to the open screen, then a password, else help."""
    keywords = menu.keywords
    meaning = keywords.meaning(body) or _answering(menu, session, body) or keywords.password(body)
    if isinstance(meaning, Heard):
        return meaning
    return enter(menu, session, meaning or Meaning(keywords.form.otherwise))


def _answering(menu: Menu, session: Session, body: str) -> Heard | None:
    """An answer to the screen a conversation by SMS stands on; a wrong one is no try."""
    return _taken(menu, session, body) if session.turn and body.strip() else None
