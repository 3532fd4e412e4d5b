"""Menu step function: one answer moves the session to its next screen or step. No I/O."""

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
"""Most screens kept in a session's back trail; the oldest are dropped first."""


@value
class Heard:
    """Result of one answer: the session moved, a page was turned, or nothing changed and why."""

    what: Literal["moved", "page", "again", "empty", "wrong"]
    typed: str = field(default="", repr=False)
    """Value for the next step. Stored only while that step's proof is asked, and never when it is a secret."""
    secret: bool = False
    """Whether the value is a secret (password, code)."""


def hear(menu: Menu, session: Session, text: str) -> Heard:
    """Apply one answer to the current screen; a wrong or empty one is counted."""
    if over(menu, session):
        return Heard("moved")
    if not text.strip():
        return _missed(menu, session, "empty")
    return _taken(menu, session, text) or _missed(menu, session, "wrong")


def _taken(menu: Menu, session: Session, text: str) -> Heard | None:
    """Apply an answer if it is valid and reset the counts of wrong answers and silences; None if it is not."""
    node, key = menu.nodes[session.state], key_of(text)
    result = (
        _navigated(menu, session, node, SURFACES[session.channel], key)
        or _chosen(menu, session, node, key)
        or _typed(menu, session, node, text)
    )
    if result:
        session.misses = session.silences = 0
    return result


def silent(menu: Menu, session: Session) -> Heard:
    """Count a time-out without input in a call; silences are counted apart from wrong keys.

    After as many in a row as the pack's `rules.misses` the call is given up.
    """
    session.silences += 1
    if session.silences >= menu.form.rules.misses:
        return _given_up(menu, session, "bye")
    return Heard("moved") if over(menu, session) else Heard("empty")


def over(menu: Menu, session: Session) -> bool:
    """End a call that has had `voice.most_turns` answers; return whether it did."""
    if session.channel != "voice" or session.turn < menu.form.voice.most_turns:
        return False
    menu.moves.fire("bye", session)
    return True


def _given_up(menu: Menu, session: Session, goodbye: str) -> Heard:
    """Give up after too many wrong answers or silences.

    A call goes to an agent where the pack's rules say so; otherwise `fallback_trigger` is fired.
    """
    agent = session.channel == "voice" and menu.form.rules.lost == "agent"
    menu.moves.fire("agent" if agent else goodbye, session)
    return Heard("moved")


def enter(menu: Menu, session: Session, meaning: Meaning) -> Heard:
    """Leave the current screen and go where a keyword leads; trail, notes and facts are dropped."""
    session.state, session.trail, session.page, session.notes, session.facts = HOME, (), 0, (), {}
    if meaning.keep:
        session.facts[meaning.keep] = Text(meaning.typed)
    menu.moves.fire(f"enter {meaning.to}", session)
    return Heard("moved", meaning.typed, meaning.secret)


HELD = "held"
"""Name of the fact that keeps a pending answer while its step's proof is asked."""


def hold(menu: Menu, session: Session, heard: Heard) -> None:
    """Keep an answer in the session while the proof its step needs is asked; a secret is never kept."""
    if heard.typed and not heard.secret and session.state in menu.form.gates.values():
        session.facts[HELD] = Text(heard.typed)


def held(session: Session) -> str:
    """Remove and return the pending answer; empty when there is none."""
    pending = session.facts.pop(HELD, None)
    return pending.value if isinstance(pending, Text) else ""


def take(menu: Menu, session: Session, outcome: str, facts: Mapping[str, Fact | Rows], proof: str) -> None:
    """Store a step's facts and proof and follow the edge of its outcome.

    An edge to `resume` leads to the screen or step that waited for the proof (`session.resume_node`).
    """
    session.facts.update(facts)
    if proof and proof not in session.proofs:
        session.proofs = (*session.proofs, proof)
    if menu.nodes[session.state].on[outcome] != RESUME:
        menu.moves.fire(outcome, session)
        return
    menu.moves.fire(f"{RESUME} {session.then}", session)
    session.then = ""


def turn_to(session: Session, number: str, kind: str, *, trusted: bool) -> None:
    """Make the session about another line (E.164 `number`); proofs, facts and trail of the last are dropped.

    `trusted`: the connection vouches for the caller's number, which proves the caller's own line.
    """
    session.subject, session.kind = "" if number == session.caller else number, kind
    session.proofs = ("line",) if trusted and not session.subject and number else ()
    session.trail, session.page, session.notes, session.facts, session.then = (), 0, (), {}, ""
    session.owner = ""


def settle(menu: Menu, session: Session, origin: str) -> None:
    """Update the back trail after the session came to a new screen from `origin`.

    Page, notes and error counts are reset; at home the trail and the facts are cleared, too.
    """
    session.page = session.misses = session.silences = 0
    session.notes = ()
    current = session.state
    if current == HOME:
        session.trail, session.facts = (), {}
    elif current in session.trail:
        session.trail = session.trail[: session.trail.index(current)]
    elif _may_return(menu.nodes[origin]) and origin != current:
        session.trail = (*session.trail, origin)[-MOST_TRAIL:]


def _may_return(node: Node) -> bool:
    """Return whether `back` may lead to the node."""
    return node.rests and not node.passing and not node.closes


def _missed(menu: Menu, session: Session, why: Literal["empty", "wrong"]) -> Heard:
    """Count a wrong or empty answer and give up at the pack's limit of answers in a row."""
    session.misses += 1
    if session.misses < menu.form.rules.misses:
        return Heard(why)
    return _given_up(menu, session, "lost")


def _navigated(menu: Menu, session: Session, node: Node, surface: Surface, key: str) -> Heard | None:
    """Apply a navigation key (repeat, more, home, agent, back); None if it is none or an option has it."""
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
    """Build the function that fires one trigger."""

    def fire_trigger(menu: Menu, session: Session) -> Heard:
        menu.moves.fire(word, session)
        return Heard("moved")

    return fire_trigger


def _back(menu: Menu, session: Session) -> Heard:
    """Go to the previous page or screen; without one go home, or leave from home where the surface allows."""
    if session.page:
        session.page -= 1
        return Heard("page")
    if not session.trail:
        leaves = SURFACES[session.channel].leave and session.state == HOME
        menu.moves.fire("bye" if leaves else "home", session)
        return Heard("moved")
    try:
        menu.moves.fire(f"back {session.trail[-1]}", session)
    except NoMoveError:
        # The trail was written by another revision of this pack.
        menu.moves.fire("home", session)
    return Heard("moved")


def _chosen(menu: Menu, session: Session, node: Node, key: str) -> Heard | None:
    """Choose the option or the row of a key; None if the key has neither."""
    if (session.channel, key) in node.keys:
        menu.moves.fire(f"{session.channel} {key}", session)
        return Heard("moved", _agreed(session) if node.reads_back else "")
    rows = session.facts.get(node.each.of) if node.each and node.each.to else None
    position = int(as_digits(key, 1, 2) or 0)
    if isinstance(rows, Rows) and 0 < position <= len(rows.rows):
        session.facts.update(rows.row(position - 1))
        menu.moves.fire("pick", session)
        return Heard("moved")
    return None


def _typed(menu: Menu, session: Session, node: Node, text: str) -> Heard | None:
    """Accept the value of an input screen; None if the screen takes none or the text is not of its type."""
    if node.accept is None:
        return None
    value_given = accepted(menu, node.accept, text) or _heard(menu, session, node.accept, text)
    if value_given is None:
        return None
    if node.accept.keep and not node.accept.secret:
        session.facts[node.accept.keep] = _KEPT.get(node.accept.type, Text)(value_given)
    if not node.accept.speech:
        menu.moves.fire("typed", session)
        return Heard("moved", value_given, node.secret)
    session.facts[SAID] = _KEPT.get(node.accept.type, Text)(value_given)
    menu.moves.fire(f"{session.channel} typed", session)
    return Heard("moved", value_given)


def _heard(menu: Menu, session: Session, accept: AcceptForm, text: str) -> str | None:
    """Return the value of a spoken answer in a call; None where speech is not accepted or not understood."""
    if session.channel != "voice" or not accept.speech:
        return None
    return accepted(menu, accept, menu.tongues[session.language].ear.digits(text))


def _agreed(session: Session) -> str:
    """Return the answer that was read back and confirmed."""
    answer = session.facts.get(SAID)
    return answer.value if isinstance(answer, Number | Text) else ""


_KEPT: Mapping[str, Callable[[str], Fact]] = {"email": Email, "msisdn": Number}
"""Fact type by input type; `Text` for all others."""


def accepted(menu: Menu, accept: AcceptForm, text: str) -> str | None:
    """Parse the value of an input screen; None when the text is not of its type or length.

    Dates come back in ISO 8601, MSISDNs in E.164; a password keeps its outer spaces.
    """
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
    """Apply an SMS body: a keyword, else an answer to the open screen, else a password, else help."""
    keywords = menu.keywords
    found = keywords.meaning(body) or _answering(menu, session, body) or keywords.password(body)
    if isinstance(found, Heard):
        return found
    return enter(menu, session, found or Meaning(keywords.form.otherwise))


def _answering(menu: Menu, session: Session, body: str) -> Heard | None:
    """Apply an SMS as an answer to the open screen; None, and not counted as wrong, if it is not valid."""
    return _taken(menu, session, body) if session.turn and body.strip() else None
