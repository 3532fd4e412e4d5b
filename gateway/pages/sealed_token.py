"""Encrypted token for a hidden form field or a stored login, readable by every process of ours."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.domain.records import Secret
from storage.crypto import AeadCipher


@dataclass(frozen=True, slots=True)
class TokenSealer:
    """Encrypts and decrypts lists of strings; a label binds a token to one use."""

    cipher: AeadCipher = field(repr=False)

    @classmethod
    def from_secret(cls, secret: Secret) -> "TokenSealer":
        """Build the pages' sealer from the gateway's secret."""
        return cls(AeadCipher(secret, "slips"))

    def seal_words(self, words: Sequence[str], label: str) -> str:
        """Return the strings as one encrypted, URL-safe text."""
        return urlsafe_b64encode(self.cipher.encrypt(json.dumps(list(words)).encode(), label)).decode()

    def unseal_words(self, text: str, label: str) -> list[str] | None:
        """Return the strings again; None for a text that was not sealed by us with this label."""
        try:
            words: list[str] = json.loads(self.cipher.decrypt(urlsafe_b64decode(text), label))
        except ValueError:
            return None
        return words
