"""Replay detection: which answers of a request are new to the session.

Three kinds of USSD providers: those that repeat every answer of the session in each request (Africa's Talking),
secrets included, so that the watermark of the text received so far is a length and a keyed hash, never the
text; those that number their requests; and those that do neither, whose requests are told apart by strict
alternation: an equal request is a repeat only until the reply to the first one is known to have been sent.
"""

import hmac

from flows.domain.pseudonyms import Pseudonyms
from flows.engine.inbound import Inbound
from menus.model.session import Session
from menus.text.input_parsing import parse_digits

ANSWER_SEPARATOR = "*"


def request_key(pseudonyms: Pseudonyms, inbound: Inbound) -> str:
    """Return the idempotency key that two deliveries of the same request share."""
    if inbound.accumulated:
        return pseudonyms.text_watermark(inbound.text or "")
    if identity := inbound.request_id or inbound.step:
        return identity
    return pseudonyms.text_watermark(f"{'begin ' if inbound.begins else ''}{inbound.text or ''}")


def has_no_request_id(inbound: Inbound) -> bool:
    """Return whether equal USSD requests can only be told apart by strict alternation with our replies."""
    return inbound.channel == "ussd" and not inbound.accumulated and not inbound.request_id


def is_new_dial(inbound: Inbound) -> bool:
    """Return whether the request begins a USSD session: nothing was answered in it yet."""
    return bool(inbound.begins) or (inbound.accumulated and not inbound.text)


def is_redial(session: Session, inbound: Inbound) -> bool:
    """Return whether the request dials anew under the id of a session that is still open.

    A first request that repeats every answer cannot be told from its own repeat before there is an answer.
    """
    if inbound.begins:
        return True
    was_answered = bool(session.watermark) and not session.watermark.startswith("0:")
    return is_new_dial(inbound) and was_answered


def new_answers(pseudonyms: Pseudonyms, session: Session, inbound: Inbound) -> list[str | None] | None:
    """Return the answers this request adds; None when it is an old request that arrives late.

    A first request may bring several answers (a service code dialled with them); later ones bring one,
    which may itself contain a star.
    """
    text = inbound.text or ""
    if inbound.channel == "sms":
        return [text]
    if inbound.channel == "voice":
        return _call_answer(session, inbound)
    if not inbound.accumulated:
        return [text] if session.turn else _dialled_ahead(text, inbound.address)
    if session.turn == 0:
        return _split_answers(text)
    return _answers_after_watermark(pseudonyms, session, text)


def _call_answer(session: Session, inbound: Inbound) -> list[str | None] | None:
    """Return the one answer of a step of a call, which carries the step number we handed out."""
    if not inbound.step:
        return [inbound.text] if inbound.text or session.turn else []
    if session.turn == 0:  # the call continues but its session was lost: start again, ignore the answer
        return []
    return [inbound.text] if inbound.step == str(session.turn) else None


def _split_answers(text: str) -> list[str | None]:
    return list(text.split(ANSWER_SEPARATOR)) if text else []


def _dialled_ahead(dialled: str, code: str) -> list[str | None]:
    """Return the answers dialled behind the service code: `*100*1*2#` at `*100#` brings `1` and `2`.

    Some networks leave out stars and hash around the code. Anything else is no dialled string but an answer
    to a session that was lost, which begins again and ignores it.
    """
    own, text = code.strip("*#"), dialled.strip().removeprefix("*").removesuffix("#")
    if not own or not text.startswith(f"{own}*"):
        return []
    return _split_answers(text.removeprefix(f"{own}*"))


def _answers_after_watermark(pseudonyms: Pseudonyms, session: Session, text: str) -> list[str | None] | None:
    """Return the answer that follows the watermark in the accumulated text; None when it does not match."""
    length = int(parse_digits(session.watermark.partition(":")[0], 1, 4) or 0)
    expected = pseudonyms.text_watermark(text[:length]).encode()
    if len(text) <= length or not hmac.compare_digest(expected, session.watermark.encode()):
        return None
    if length == 0:
        return [text]
    return [text[length + 1 :]] if text[length] == ANSWER_SEPARATOR else None


def remember_watermark(session: Session, inbound: Inbound, request_id: str) -> None:
    """Advance the session's watermark to this request."""
    if inbound.accumulated:
        session.watermark = request_id
