"""Replay detection: which answers of a request are new to the session.

Africa's Talking repeats every answer of the session in each request, secrets included; so the
watermark of the text received so far is a length and a keyed hash, never the text.
"""

import hmac

from flows.domain.pseudonyms import Pseudonyms
from flows.engine.inbound import Inbound
from menus.model.session import Session
from menus.text.input_parsing import parse_digits

ANSWER_SEPARATOR = "*"


def request_key(pseudonyms: Pseudonyms, inbound: Inbound) -> str:
    """Return the idempotency key that two deliveries of the same request share."""
    if inbound.hop and not inbound.accumulated:
        return inbound.hop
    return pseudonyms.text_watermark(inbound.text or "")


def is_new_dial(inbound: Inbound) -> bool:
    """Return whether the request begins a USSD session: nothing was answered in it yet."""
    return inbound.accumulated and not inbound.text


def has_answers(session: Session) -> bool:
    """Return whether the session's accumulated text holds answers: an empty text is then a new dial."""
    return bool(session.watermark) and not session.watermark.startswith("0:")


def new_answers(pseudonyms: Pseudonyms, session: Session, inbound: Inbound) -> list[str | None] | None:
    """Return the answers this request adds; None when it is an old request that arrives late.

    A first request may bring several answers (a service code dialled with them); later ones bring one,
    which may itself contain a star.
    """
    text = inbound.text
    if not inbound.accumulated:
        return _single_answer(session, inbound)
    text = text or ""
    if session.turn == 0:
        return list(text.split(ANSWER_SEPARATOR)) if text else []
    return _answers_after_watermark(pseudonyms, session, text)


def _single_answer(session: Session, inbound: Inbound) -> list[str | None] | None:
    """Return the one answer of a request: an SMS, or a step of a call that carries our nonce."""
    if inbound.channel == "sms":
        return [inbound.text or ""]
    if not inbound.hop:
        return [inbound.text] if inbound.text or session.turn else []
    if session.turn == 0:  # the call continues but its session was lost: start again, ignore the answer
        return []
    return [inbound.text] if inbound.hop == str(session.turn) else None


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
