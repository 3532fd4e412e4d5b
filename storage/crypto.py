"""Keys made from the one secret: to hash what must only be recognised, to seal what must be read again."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flows.domain.records import Secret

NONCE_BYTES = 12


def derived(secret: Secret, purpose: str) -> bytes:
    """A 32-byte key for one purpose; those of two purposes tell nothing about each other."""
    label = f"dialtree {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=label).derive(secret.value.encode())


def mark(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over the parts; lengths go in, so that no two lists of parts read the same."""
    text = b"".join([b"%d:%b" % (len(part), part) for part in map(str.encode, parts)])
    return hmac.digest(key, text, hashlib.sha256)


def subject(key: bytes, operator: str, number: str) -> bytes:
    """How a number is called in these tables."""
    return mark(key, "subject", operator, number)


class Seal:
    """AES-256-GCM, bound to a label: a sealed text moved to another row does not open."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        self._cipher = AESGCM(derived(secret, purpose))

    def close(self, text: bytes, label: str) -> bytes:
        """Seal; the nonce (96 random bits) goes in front."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, label.encode())

    def open(self, sealed: bytes, label: str) -> bytes:
        """Read what `close` sealed; ValueError when it was altered, moved or sealed with another secret."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], label.encode())
        except InvalidTag as error:
            raise ValueError("this does not open with our key") from error
