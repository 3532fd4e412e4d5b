"""Pseudonyms: keyed hashes (BLAKE2b) of phone numbers, texts and ids, for stores and logs."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import blake2b

from flows.domain.records import Subscriber


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonymisation by keyed hash: stores and logs see these instead of personal data."""

    secret: bytes = field(repr=False)
    """Hash key, at most 64 bytes."""
    seed: "blake2b" = field(init=False, repr=False)
    """Keyed hash state, copied for each hash: keying costs more than hashing."""

    resume_hashes: dict[str, str] = field(default_factory=dict, repr=False)
    """The hash of each channel, made once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", blake2b(key=self.secret, digest_size=12))

    def keyed_hash(self, *parts: str) -> str:
        """Return a 96-bit keyed hash as 24 hex digits; a separator keeps the parts apart."""
        return self._hash(parts).hex()

    def short_hash(self, *parts: str) -> str:
        """Return the same hash in 16 characters, for values inside live sessions (memory in Redis)."""
        return urlsafe_b64encode(self._hash(parts)).decode()

    def resume_hash(self, channel: str) -> str:
        """Return the hash under which a subscriber's dropped session of a channel is found again."""
        if channel not in self.resume_hashes:
            self.resume_hashes[channel] = self.keyed_hash("resume", channel)
        return self.resume_hashes[channel]

    def owner_hash(self, subscriber: Subscriber) -> str:
        """Return the hash that identifies a number's owner: subscription id and its first day."""
        return self.short_hash("owner", subscriber.id, subscriber.since.isoformat())

    def text_watermark(self, text: str) -> str:
        """Return a text's length and hash: enough to recognise it as the beginning of a longer text."""
        return f"{len(text)}:{self.short_hash(text)}"

    def _hash(self, parts: tuple[str, ...]) -> bytes:
        seed = self.seed.copy()
        seed.update("\x00".join(parts).encode("utf-8", "surrogatepass"))
        return seed.digest()
