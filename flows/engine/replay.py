"""Hops: which answers of a request are new, given what the conversation has heard before.

Africa's Talking repeats every answer of the session in each request, secrets included; so the
watermark of what was heard is a length and a keyed hash, never the text.
"""

import hmac

from flows.domain.pseudonyms import Keys
from flows.engine.inbound import Inbound
from menus.model.session import Session
from menus.text.input_parsing import as_digits

STARS = "*"


def request_key(keys: Keys, inbound: Inbound) -> str:
    """Return what two deliveries of the same request have in common."""
    if inbound.hop and not inbound.accumulated:
        return inbound.hop
    return keys.watermark(inbound.text or "")


def unheard(keys: Keys, session: Session, inbound: Inbound) -> list[str | None] | None:
    """The answers this request adds; None when it is an old one come late.

    A first request may bring several at once (a code dialled with its answers); later ones bring one,
    which may itself contain a star.
    """
    text = inbound.text
    if not inbound.accumulated:
        return _single(session, inbound)
    text = text or ""
    if session.turn == 0:
        return list(text.split(STARS)) if text else []
    return _after(keys, session, text)


def _single(session: Session, inbound: Inbound) -> list[str | None] | None:
    """One request, one answer: a text, or a step of a call that carries the nonce we gave out."""
    if inbound.channel == "sms":
        return [inbound.text or ""]
    if not inbound.hop:
        return [inbound.text] if inbound.text or session.turn else []
    if session.turn == 0:  # the call goes on and its session is gone: begin again, hear nothing
        return []
    return [inbound.text] if inbound.hop == str(session.turn) else None


def _after(keys: Keys, session: Session, text: str) -> list[str | None] | None:
    heard = int(as_digits(session.heard.partition(":")[0], 1, 4) or 0)
    known = keys.watermark(text[:heard]).encode()
    if len(text) <= heard or not hmac.compare_digest(known, session.heard.encode()):
        return None
    if heard == 0:
        return [text]
    return [text[heard + 1 :]] if text[heard] == STARS else None


def note(session: Session, inbound: Inbound, hop: str) -> None:
    """Move the watermark up to this request."""
    if inbound.accumulated:
        session.heard = hop
