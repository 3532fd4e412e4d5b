"""Encrypted token for a hidden form field or a stored login, readable by every process of ours."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.domain.records import Secret
from storage.crypto import Seal


@dataclass(frozen=True, slots=True)
class Envelope:
    """Encrypts and decrypts lists of strings; a label binds a token to one use."""

    seal: Seal = field(repr=False)

    @classmethod
    def of(cls, secret: Secret) -> "Envelope":
        """Build the pages' sealer from the gateway's secret."""
        return cls(Seal(secret, "slips"))

    def close(self, words: Sequence[str], label: str) -> str:
        """Return the strings as one encrypted, URL-safe text."""
        return urlsafe_b64encode(self.seal.close(json.dumps(list(words)).encode(), label)).decode()

    def open(self, text: str, label: str) -> list[str] | None:
        """Return the strings again; None for a text that was not sealed by us with this label."""
        try:
            words: list[str] = json.loads(self.seal.open(urlsafe_b64decode(text), label))
        except ValueError:
            return None
        return words
