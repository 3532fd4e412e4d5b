"""Menu step function: one answer moves the session to its next screen or step. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from typing import Literal

from menus.machine.list_options import more_key
from menus.machine.menu import Menu
from menus.machine.screen import SPOKEN_ANSWER_FACT, Node
from menus.machine.surface import SURFACES, Surface
from menus.machine.transitions_table import HOME, RESUME, NoTransitionError
from menus.model.facts import Email, Fact, PhoneNumber, Rows, Text
from menus.model.session import Session
from menus.model.typed_text import TypedText
from menus.model.value import value_dataclass
from menus.packfile.schema import AcceptForm
from menus.render.text_screen import page_count
from menus.text.input_parsing import parse_date, parse_digits, parse_email, parse_key, possible_month
from menus.text.keywords import KeywordMatch

MAX_TRAIL_LENGTH = 12
"""Most screens kept in a session's back trail; the oldest are dropped first."""


@value_dataclass
class AnswerResult:
    """Result of one answer: the session moved, a page was turned, or nothing changed and why."""

    effect: Literal["moved", "page", "again", "empty", "wrong"]
    value: str = field(default="", repr=False)
    """Value for the next step. Stored only while that step's proof is asked, and never when it is a secret."""
    is_secret: bool = False
    """Whether the value is a secret (password, code)."""


def apply_answer(menu: Menu, session: Session, text: str) -> AnswerResult:
    """Apply one answer to the current screen; a wrong or empty one is counted."""
    if end_long_call(menu, session):
        return AnswerResult("moved")
    if not text.strip():
        return _count_wrong_answer(menu, session, "empty")
    return _try_answer(menu, session, text) or _count_wrong_answer(menu, session, "wrong")


def _try_answer(menu: Menu, session: Session, text: str) -> AnswerResult | None:
    """Apply an answer if it is valid and reset the counts of wrong answers and silences; None if it is not."""
    node, key = menu.nodes[session.state], parse_key(text)
    result = (
        _navigate(menu, session, node, SURFACES[session.channel], key)
        or _choose_option(menu, session, node, key)
        or _accept_input(menu, session, node, text)
    )
    if result:
        session.misses = session.silences = 0
    return result


def apply_silence(menu: Menu, session: Session) -> AnswerResult:
    """Count a time-out without input in a call; silences are counted apart from wrong keys.

    After as many in a row as the pack's `rules.misses` the call is given up.
    """
    session.silences += 1
    if session.silences >= menu.config.rules.misses:
        return _give_up(menu, session, "bye")
    return AnswerResult("moved") if end_long_call(menu, session) else AnswerResult("empty")


def end_long_call(menu: Menu, session: Session) -> bool:
    """End a call that has had `voice.most_turns` answers; return whether it did."""
    if session.channel != "voice" or session.turn < menu.config.voice.most_turns:
        return False
    menu.transition_table.fire("bye", session)
    return True


def _give_up(menu: Menu, session: Session, fallback_trigger: str) -> AnswerResult:
    """Give up after too many wrong answers or silences.

    A call goes to an agent where the pack's rules say so; otherwise `fallback_trigger` is fired.
    """
    agent = session.channel == "voice" and menu.config.rules.lost == "agent"
    menu.transition_table.fire("agent" if agent else fallback_trigger, session)
    return AnswerResult("moved")


def follow_keyword(menu: Menu, session: Session, keyword: KeywordMatch) -> AnswerResult:
    """Leave the current screen and go where a keyword leads; trail, notes and facts are dropped."""
    session.state, session.trail, session.page, session.notes, session.facts = HOME, (), 0, (), {}
    if keyword.fact_name:
        session.facts[keyword.fact_name] = Text(keyword.argument)
    menu.transition_table.fire(f"enter {keyword.target}", session)
    return AnswerResult("moved", keyword.argument, keyword.is_secret)


PENDING_ANSWER_FACT = "held"
"""Name of the fact that keeps a pending answer while its step's proof is asked."""


def keep_pending_answer(menu: Menu, session: Session, result: AnswerResult) -> None:
    """Keep an answer in the session while the proof its step needs is asked; a secret is never kept."""
    if result.value and not result.is_secret and session.state in menu.config.gates.values():
        session.facts[PENDING_ANSWER_FACT] = Text(result.value)


def take_pending_answer(session: Session) -> str:
    """Remove and return the pending answer; empty when there is none."""
    pending = session.facts.pop(PENDING_ANSWER_FACT, None)
    return pending.value if isinstance(pending, Text) else ""


def follow_outcome(
    menu: Menu, session: Session, outcome: str, facts: Mapping[str, Fact | Rows], proof: str
) -> None:
    """Store a step's facts and proof and follow the edge of its outcome.

    An edge to `resume` leads to the screen or step that waited for the proof (`session.resume_node`).
    """
    session.facts.update(facts)
    if proof and proof not in session.proofs:
        session.proofs = (*session.proofs, proof)
    if menu.nodes[session.state].on[outcome] != RESUME:
        menu.transition_table.fire(outcome, session)
        return
    menu.transition_table.fire(f"{RESUME} {session.resume_node}", session)
    session.resume_node = ""


def switch_line(session: Session, number: str, kind: str, *, trusted: bool) -> None:
    """Make the session about another line (E.164 `number`); proofs, facts and trail of the last are dropped.

    `trusted`: the connection vouches for the caller's number, which proves the caller's own line.
    """
    session.subject, session.line_kind = "" if number == session.caller else number, kind
    session.proofs = ("line",) if trusted and not session.subject and number else ()
    session.trail, session.page, session.notes, session.facts, session.resume_node = (), 0, (), {}, ""
    session.owner_hash = ""


def record_arrival(menu: Menu, session: Session, origin: str) -> None:
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
        session.trail = (*session.trail, origin)[-MAX_TRAIL_LENGTH:]


def _may_return(node: Node) -> bool:
    """Return whether `back` may lead to the node."""
    return node.is_waiting and not node.is_transient and not node.is_final


def _count_wrong_answer(menu: Menu, session: Session, reason: Literal["empty", "wrong"]) -> AnswerResult:
    """Count a wrong or empty answer and give up at the pack's limit of answers in a row."""
    session.misses += 1
    if session.misses < menu.config.rules.misses:
        return AnswerResult(reason)
    return _give_up(menu, session, "lost")


def _navigate(menu: Menu, session: Session, node: Node, surface: Surface, key: str) -> AnswerResult | None:
    """Apply a navigation key (repeat, more, home, agent, back); None if it is none or an option has it."""
    if (session.channel, key) in node.options_by_key:
        return None
    if key == surface.repeat:
        return AnswerResult("again")
    if key == more_key(node, session) and session.page + 1 < page_count(menu, session):
        session.page += 1
        return AnswerResult("page")
    moves: Mapping[str, Callable[[Menu, Session], AnswerResult]] = {
        surface.home: _go_home,
        surface.agent: _call_agent,
        surface.back: _go_back,
    }
    return moves[key](menu, session) if key and key in moves else None


def _fire(trigger: str, menu: Menu, session: Session) -> AnswerResult:
    menu.transition_table.fire(trigger, session)
    return AnswerResult("moved")


_go_home, _call_agent = partial(_fire, "home"), partial(_fire, "agent")


def _go_back(menu: Menu, session: Session) -> AnswerResult:
    """Go to the previous page or screen; without one go home, or leave from home where the surface allows."""
    if session.page:
        session.page -= 1
        return AnswerResult("page")
    if not session.trail:
        leaves = SURFACES[session.channel].leave and session.state == HOME
        menu.transition_table.fire("bye" if leaves else "home", session)
        return AnswerResult("moved")
    try:
        menu.transition_table.fire(f"back {session.trail[-1]}", session)
    except NoTransitionError:
        # The trail was written by another revision of this pack.
        menu.transition_table.fire("home", session)
    return AnswerResult("moved")


def _choose_option(menu: Menu, session: Session, node: Node, key: str) -> AnswerResult | None:
    """Choose the option or the row of a key; None if the key has neither."""
    if (session.channel, key) in node.options_by_key:
        menu.transition_table.fire(f"{session.channel} {key}", session)
        return AnswerResult("moved", _confirmed_answer(session) if node.is_read_back else "")
    rows = session.facts.get(node.each.rows_fact) if node.each and node.each.to else None
    position = int(parse_digits(key, 1, 2) or 0)
    if isinstance(rows, Rows) and 0 < position <= len(rows.rows):
        session.facts.update(rows.row(position - 1))
        menu.transition_table.fire("pick", session)
        return AnswerResult("moved")
    return None


def _accept_input(menu: Menu, session: Session, node: Node, text: str) -> AnswerResult | None:
    """Accept the value of an input screen; None if the screen takes none or the text is not of its type."""
    if node.accept is None:
        return None
    value_given = parse_input(menu, node.accept, text) or _parse_speech(menu, session, node.accept, text)
    if value_given is None:
        return None
    value_given = TypedText(value_given)
    if node.accept.keep and not node.accept.secret:
        session.facts[node.accept.keep] = _FACT_TYPES.get(node.accept.type, Text)(value_given)
    if not node.accept.speech:
        menu.transition_table.fire("typed", session)
        return AnswerResult("moved", value_given, node.is_secret)
    session.facts[SPOKEN_ANSWER_FACT] = _FACT_TYPES.get(node.accept.type, Text)(value_given)
    menu.transition_table.fire(f"{session.channel} typed", session)
    return AnswerResult("moved", value_given)


def _parse_speech(menu: Menu, session: Session, accept: AcceptForm, text: str) -> str | None:
    """Return the value of a spoken answer in a call; None where speech is not accepted or not understood."""
    if session.channel != "voice" or not accept.speech:
        return None
    return parse_input(
        menu, accept, menu.language_packs[session.language].digit_recogniser.recognise_digits(text)
    )


def _confirmed_answer(session: Session) -> str:
    """Return the answer that was read back and confirmed."""
    answer = session.facts.get(SPOKEN_ANSWER_FACT)
    return answer.value if isinstance(answer, PhoneNumber | Text) else ""


_FACT_TYPES: Mapping[str, Callable[[str], Fact]] = {"email": Email, "msisdn": PhoneNumber}
"""Fact type by input type; `Text` for all others."""


def parse_input(menu: Menu, accept: AcceptForm, text: str) -> str | None:
    """Parse the value of an input screen; None when the text is not of its type or length.

    Dates come back in ISO 8601, MSISDNs in E.164; a password keeps its outer spaces.
    """
    if accept.type == "digits":
        return parse_digits(text, accept.least, accept.most)
    if accept.type == "email":
        return parse_email(text)
    if accept.type == "msisdn":
        return menu.parse_msisdn(text)
    if accept.type == "month":
        return possible_month(text)
    if accept.type == "date":
        day = parse_date(text)
        return day.isoformat() if day else None
    text = text if accept.type == "password" else text.strip()
    return text if accept.least <= len(text) <= accept.most else None


def answer_sms(menu: Menu, session: Session, body: str) -> AnswerResult:
    """Apply an SMS body: a keyword, an answer to the open screen, a code, an address, a password, else help."""
    keywords = menu.keywords
    found = (
        keywords.match_keyword(body)
        or _answer_open_screen(menu, session, body)
        or keywords.match_bare_text(body)
    )
    if isinstance(found, AnswerResult):
        return found
    return follow_keyword(menu, session, found or KeywordMatch(keywords.config.otherwise))


def _answer_open_screen(menu: Menu, session: Session, body: str) -> AnswerResult | None:
    """Apply an SMS as an answer to the open screen; None, and not counted as wrong, if it is not valid."""
    return _try_answer(menu, session, body) if session.turn and body.strip() else None
