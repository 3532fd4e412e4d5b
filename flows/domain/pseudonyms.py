"""Pseudonyms: keyed hashes (BLAKE2b) of numbers, texts and ids, for everything a store or a log may see."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import blake2b

from flows.domain.ports import SessionKey
from flows.domain.records import Subscriber


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

    def watermark(self, text: str) -> str:
        """A text's length and its hash: enough to know it again, and where in a longer one it ends."""
        return f"{len(text)}:{self.short(text)}"

    def _hash(self, parts: tuple[str, ...]) -> bytes:
        seed = self.seed.copy()
        seed.update("\x00".join(parts).encode("utf-8", "surrogatepass"))
        return seed.digest()
