"""Turn recording: what is kept of a turn for the conversation history, with every secret masked."""

from dataclasses import replace

from flows.domain.conversation_records import MASKED_ANSWER
from flows.selfcare.spoken_code import SPOKEN_CODE
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.model.facts import Text
from menus.model.session import Session
from menus.step import AnswerResult
from menus.text.masking import redact_text

MAX_KEY_LENGTH = 2
"""Longest answer that counts as a key; codes and PINs have four digits or more."""
MAX_ANSWER_CHARACTERS = 160
_MASKED_CODE = Text("******")


def recordable_answer(
    menu: Menu, origin: Node, session: Session, answer: str | None, result: AnswerResult
) -> str:
    """Return an answer as the history shows it: a key, a keyword or an accepted value that is no secret.

    Anything else is masked: a password or code is often typed where none was asked for. Long numbers and
    e-mail addresses are masked in part.
    """
    text = (answer or "").strip()
    if origin.is_secret or result.is_secret:
        return MASKED_ANSWER
    if not text or _is_key(text):
        return text
    is_known = bool(result.value) or _is_keyword(menu, session, text)
    return redact_text(text)[:MAX_ANSWER_CHARACTERS] if is_known else MASKED_ANSWER


def _is_key(text: str) -> bool:
    digits = text.strip("*#")
    return len(text) <= MAX_KEY_LENGTH and (not digits or digits.isdecimal())


def _is_keyword(menu: Menu, session: Session, text: str) -> bool:
    """Return whether a text message is one of the pack's keywords with nothing behind it."""
    if not SURFACES[session.channel].is_message_based:
        return False
    found = menu.keywords.match_keyword(text)
    return found is not None and not found.argument and not found.is_secret


def session_snapshot(session: Session, stored: bytes | None) -> bytes:
    """Return the session's bytes without secrets; `stored` is what the session store gets, reused if it can be.

    Left out are a code that a call reads out, and the watermark: with the key at hand, codes among the
    answers it is the hash of could be guessed.
    """
    if SPOKEN_CODE in session.facts:
        return replace(session, watermark="", facts=session.facts | {SPOKEN_CODE: _MASKED_CODE}).dump()
    data = session.dump() if stored is None else stored
    return data.replace(f'"{session.watermark}"'.encode(), b'""') if session.watermark else data
