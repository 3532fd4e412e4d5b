"""Keys made from the one secret: to hash what must only be recognised, to seal what must be read again."""

import hashlib
import hmac
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flows.records import Secret

NONCE_BYTES = 12
BLOCK_BYTES = 64
"""Of SHA-256."""


def derived(secret: Secret, purpose: str) -> bytes:
    """A 32-byte key for one purpose; those of two purposes tell nothing about each other."""
    label = f"dialtree {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=label).derive(secret.value.encode())


def mark(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over the parts; lengths go in, so that no two lists of parts read the same."""
    return hmac.digest(key, _joined(parts), hashlib.sha256)


def _joined(parts: Iterable[str]) -> bytes:
    return b"".join([b"%d:%b" % (len(part), part) for part in map(str.encode, parts)])


class Marker:
    """`mark` under one key of at most 64 bytes: a third of its time, for a trail has many lines.

    RFC 2104 by its letter: the key's two blocks are hashed once and copied, where `hmac` would look
    SHA-256 up and hash them again for every mark.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def mark(self, *parts: str) -> bytes:
        """What `mark` says of these parts under our key."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(_joined(parts))
        outer.update(inner.digest())
        return outer.digest()


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
