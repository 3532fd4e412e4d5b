"""Apply a turn's answers to the session, one at a time, and run the menu steps they lead to."""

from dataclasses import replace

from flows.domain.actions import AS_OF, Outcome
from flows.domain.conversation_records import MASKED_ANSWER
from flows.engine.flood_guard import looks_like_card
from flows.engine.read_only_ports import EffectRefusedError, read_only
from flows.engine.step_runner import TurnContext, run_step
from flows.engine.subscriber_cache import CallerProfile
from flows.engine.turn_recording import recordable_answer
from menus.machine.opening_hours import close_out_of_hours
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import RESUME
from menus.model.session import Session
from menus.model.typed_text import TypedText
from menus.resumption import continue_earlier, offer_held
from menus.step import (
    AnswerResult,
    answer_sms,
    apply_answer,
    apply_silence,
    follow_outcome,
    keep_pending_answer,
    record_arrival,
    switch_line,
    take_pending_answer,
)

MAX_STEPS = 8
"""Steps one answer may run; more means a loop in the pack."""
NOTE_TEXTS = {"wrong": "note.wrong", "empty": "note.empty"}


async def apply_answers(context: TurnContext, session: Session, answers: list[str | None]) -> str:
    """Apply the answers; return the name of the note to show above the next screen, or an empty string.

    An answer of None is silence. Stops at a wrong answer, at the end of the conversation, before a screen
    that must be confirmed, and before a step with an effect that an earlier answer leads to.
    """
    note = ""
    for index, answer in enumerate(answers):
        if index and context.menu.nodes[session.state].needs_confirmation:
            break
        if answer and looks_like_card(context.menu, session, answer):
            context.recordable_answers.append(MASKED_ANSWER)
            return "note.card"
        origin = context.menu.nodes[session.state]
        is_last = index == len(answers) - 1
        result = await (_apply_answer if is_last else _apply_earlier_answer)(context, session, answer)
        if result is None:
            break
        context.answer_results.append(result.effect)
        context.recordable_answers.append(recordable_answer(context.menu, origin, session, answer, result))
        note = NOTE_TEXTS.get(result.effect, "")
        if note or context.menu.nodes[session.state].is_final:
            break
    return note or ("note.as_of" if AS_OF in session.facts else "")


async def _apply_earlier_answer(
    context: TurnContext, session: Session, answer: str | None
) -> AnswerResult | None:
    """Apply an answer that others follow; None, with the session as it was, when it would have an effect.

    Such answers were dialled ahead, or repeat a conversation whose session was lost: then the effect has
    happened. Only the last answer, the one just given, may change something.
    """
    before = replace(session, facts=dict(session.facts))
    try:
        return await _apply_answer(replace(context, ports=read_only(context.ports)), session, answer)
    except EffectRefusedError:
        session.restore(before)
        return None


async def _apply_answer(context: TurnContext, session: Session, answer: str | None) -> AnswerResult:
    origin = session.state
    session.facts.pop(AS_OF, None)
    result = _interpret_answer(context, session, answer)
    if result.effect == "moved":
        keep_pending_answer(context.menu, session, result)
        if not context.menu.nodes[session.state].is_waiting:
            await _run_steps(context, session, TypedText(result.value))
        if session.channel == "voice":
            close_out_of_hours(context.menu, session, context.ports.now)
        record_arrival(context.menu, session, origin)
    return result


def _interpret_answer(context: TurnContext, session: Session, answer: str | None) -> AnswerResult:
    if answer is None:
        return apply_silence(context.menu, session)
    is_sms = SURFACES[session.channel].is_message_based
    return (answer_sms if is_sms else apply_answer)(context.menu, session, answer)


async def _run_steps(context: TurnContext, session: Session, typed: str) -> None:
    """Run steps until the session waits on a screen."""
    for _ in range(MAX_STEPS):
        node = context.menu.nodes[session.state]
        if node.is_waiting:
            return
        outcome = await run_step(context, session, node, typed)
        context.steps_run.append((node.name, outcome.name))
        if outcome.continues_earlier:
            continue_earlier(context.menu, session)
            continue
        await _switch_line(context, session, outcome)
        follow_outcome(context.menu, session, outcome.name, outcome.facts, outcome.proof)
        if outcome.proof:
            await _adopt_language(context, session)
        if node.on[outcome.name] == RESUME:
            typed = take_pending_answer(session)
            offer_held(context.menu, session)
        if outcome.language:
            session.language = context.menu.supported_language(outcome.language)
            context.subscribers.forget(session.msisdn)
    raise RuntimeError(f"the pack loops: more than {MAX_STEPS} steps without a screen, at {session.state}")


async def _adopt_language(context: TurnContext, session: Session) -> None:
    """Speak the subscriber's language from the proof on; before it a spoofed caller would learn who is known.

    A language chosen in the conversation stays.
    """
    if session.subject or session.language != context.menu.supported_language(""):
        return
    profile = await context.subscribers.find_quickly(session.msisdn)
    session.language = context.menu.supported_language(profile.language or session.language)


async def _switch_line(context: TurnContext, session: Session, outcome: Outcome) -> None:
    """Switch the session to another line if the outcome asks for it.

    The line's kind is the one the caller stated, else the one billing reports.
    """
    target = outcome.line_switch
    if target is None or target.number == session.msisdn:
        return
    profile = CallerProfile() if target.kind else await context.subscribers.find_quickly(target.number)
    kind = target.kind or (profile.subscriber.kind if profile.subscriber else "")
    switch_line(session, target.number, kind, trusted=context.is_caller_trusted)
