"""Apply a turn's answers to the session, one at a time, and run the menu steps they lead to."""

from flows.domain.actions import AS_OF, Outcome
from flows.engine.flood_guard import card
from flows.engine.step_runner import Frame, act
from flows.engine.subscriber_cache import Person
from menus.machine.opening_hours import attend
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import RESUME
from menus.model.session import Session
from menus.step import Heard, hear, held, hold, settle, silent, take, text_in, turn_to

MOST_STEPS = 8
"""Steps one answer may run; more means a loop in the pack."""
NOTES = {"wrong": "note.wrong", "empty": "note.empty"}


async def listen(frame: Frame, session: Session, answers: list[str | None]) -> str:
    """Apply the answers; return the name of the note to show above the next screen, or an empty string.

    An answer of None is silence. Stops at a wrong answer, at the end of the conversation, and before a
    screen that must be confirmed.
    """
    note = ""
    for index, answer in enumerate(answers):
        if index and frame.menu.nodes[session.state].confirm:
            break
        if answer and card(frame.menu, session, answer):
            return "note.card"
        result = await _one(frame, session, answer)
        frame.said.append(result.what)
        note = NOTES.get(result.what, "")
        if note or frame.menu.nodes[session.state].closes:
            break
    return note or ("note.as_of" if AS_OF in session.facts else "")


async def _one(frame: Frame, session: Session, answer: str | None) -> Heard:
    origin = session.state
    session.facts.pop(AS_OF, None)
    result = _heard(frame, session, answer)
    if result.what == "moved":
        hold(frame.menu, session, result)
        await _walk(frame, session, result.typed)
        attend(frame.menu, session, frame.people.world.now)
        settle(frame.menu, session, origin)
    return result


def _heard(frame: Frame, session: Session, answer: str | None) -> Heard:
    if answer is None:
        return silent(frame.menu, session)
    is_sms = SURFACES[session.channel].messages
    return (text_in if is_sms else hear)(frame.menu, session, answer)


async def _walk(frame: Frame, session: Session, typed: str) -> None:
    """Run steps until the session waits on a screen."""
    for _ in range(MOST_STEPS):
        node = frame.menu.nodes[session.state]
        if node.rests:
            return
        outcome = await act(frame, session, node, typed)
        frame.passed.append((node.name, outcome.name))
        await _turn_to(frame, session, outcome)
        take(frame.menu, session, outcome.name, outcome.facts, outcome.proof)
        typed = held(session) if node.on[outcome.name] == RESUME else typed
        if outcome.language:
            session.language = frame.menu.language(outcome.language)
            frame.people.forget(session.number)
    raise RuntimeError(f"the pack loops: more than {MOST_STEPS} steps without a screen, at {session.state}")


async def _turn_to(frame: Frame, session: Session, outcome: Outcome) -> None:
    """Switch the session to another line if the outcome asks for it.

    The line's kind is the one the caller stated, else the one billing reports.
    """
    target = outcome.subject
    if target is None or target.number == session.number:
        return
    profile = Person() if target.kind else await frame.people.glimpse(target.number)
    kind = target.kind or (profile.subscriber.kind if profile.subscriber else "")
    turn_to(session, target.number, kind, trusted=frame.trusted)
