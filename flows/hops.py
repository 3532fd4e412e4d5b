"""Hops: which answers of a request are new, given what the conversation has heard before.

Africa's Talking repeats every answer of the session in each request, secrets included; so the
watermark of what was heard is a length and a keyed hash, never the text.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import blake2b

from flows.inbound import Inbound
from flows.ports import SessionKey
from flows.records import Subscriber
from menus.session import Session
from menus.typed import as_digits

STARS = "*"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keyed hashes for everything a store may see."""

    secret: bytes = field(repr=False)
    """At most 64 bytes."""
    seed: "blake2b" = field(init=False, repr=False)
    """Keyed once: keying costs more than hashing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", blake2b(key=self.secret, digest_size=12))

    def mark(self, *parts: str) -> str:
        """A 96-bit keyed hash; its parts cannot run into each other."""
        return self._hash(parts).hex()

    def short(self, *parts: str) -> str:
        """The same in 16 characters instead of 24, for what is inside live sessions: Redis holds many."""
        return urlsafe_b64encode(self._hash(parts)).decode()

    def session(self, operator: str, provider: str, channel: str, session_id: str, caller: str) -> SessionKey:
        """Bound to the caller: a guessed session id with another number finds nothing."""
        tag = self.mark(operator, caller)
        return SessionKey(tag, self.mark(provider, channel, session_id, caller))

    def owner(self, known: Subscriber) -> str:
        """Whose a number is: of the subscription and its first day."""
        return self.short("owner", known.id, known.since.isoformat())

    def hop(self, inbound: Inbound) -> str:
        """What two deliveries of the same request have in common."""
        if inbound.hop and not inbound.accumulated:
            return inbound.hop
        return self.watermark(inbound.text or "")

    def watermark(self, text: str) -> str:
        """A text's length and its hash: enough to know it again, and where in a longer one it ends."""
        return f"{len(text)}:{self.short(text)}"

    def _hash(self, parts: tuple[str, ...]) -> bytes:
        seed = self.seed.copy()
        seed.update("\x00".join(parts).encode("utf-8", "surrogatepass"))
        return seed.digest()


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
