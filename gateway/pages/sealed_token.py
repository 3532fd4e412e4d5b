"""Sealed words: what a page needs next time, for nobody else to read, whichever process reads it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.domain.records import Secret
from storage.crypto import Seal


@dataclass(frozen=True, slots=True)
class Envelope:
    """Closes and opens. A label binds to one use: sealed for another, it does not open."""

    seal: Seal = field(repr=False)

    @classmethod
    def of(cls, secret: Secret) -> "Envelope":
        """The pages' own, from the one secret of the house."""
        return cls(Seal(secret, "slips"))

    def close(self, words: Sequence[str], label: str) -> str:
        """The words as URL-safe text."""
        return urlsafe_b64encode(self.seal.close(json.dumps(list(words)).encode(), label)).decode()

    def open(self, text: str, label: str) -> list[str] | None:
        """The words again; None for anything we did not close under this label."""
        try:
            words: list[str] = json.loads(self.seal.open(urlsafe_b64decode(text), label))
        except ValueError:
            return None
        return words
