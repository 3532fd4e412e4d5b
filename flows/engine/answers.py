"""Hearing: the answers of one turn, fed to the session one at a time, and the steps they lead through."""

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
"""Steps one answer may pass through; more is a loop in the pack."""
NOTES = {"wrong": "note.wrong", "empty": "note.empty"}


async def listen(frame: Frame, session: Session, answers: list[str | None]) -> str:
    """Feed the answers; the name of the note to begin the next screen with, or empty.

    None is silence. It stops at a wrong answer, at the end, and at what must be confirmed.
    """
    message = ""
    for index, answer in enumerate(answers):
        if index and frame.menu.nodes[session.state].confirm:
            break
        if answer and card(frame.menu, session, answer):
            return "note.card"
        heard = await _one(frame, session, answer)
        frame.said.append(heard.what)
        message = NOTES.get(heard.what, "")
        if message or frame.menu.nodes[session.state].closes:
            break
    return message or ("note.as_of" if AS_OF in session.facts else "")


async def _one(frame: Frame, session: Session, answer: str | None) -> Heard:
    origin = session.state
    session.facts.pop(AS_OF, None)
    heard = _heard(frame, session, answer)
    if heard.what == "moved":
        hold(frame.menu, session, heard)
        await _walk(frame, session, heard.typed)
        attend(frame.menu, session, frame.people.world.now)
        settle(frame.menu, session, origin)
    return heard


def _heard(frame: Frame, session: Session, answer: str | None) -> Heard:
    if answer is None:
        return silent(frame.menu, session)
    texted = SURFACES[session.channel].messages
    return (text_in if texted else hear)(frame.menu, session, answer)


async def _walk(frame: Frame, session: Session, typed: str) -> None:
    """Run steps until the session rests on a screen."""
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
    raise RuntimeError(f"steps without end at {session.state}")


async def _turn_to(frame: Frame, session: Session, outcome: Outcome) -> None:
    """Go on with another line, if the outcome says so; its kind is what was said, or what is known."""
    to = outcome.subject
    if to is None or to.number == session.number:
        return
    person = Person() if to.kind else await frame.people.glimpse(to.number)
    kind = to.kind or (person.subscriber.kind if person.subscriber else "")
    turn_to(session, to.number, kind, trusted=frame.trusted)
