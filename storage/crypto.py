"""Key derivation (HKDF), keyed hashes (HMAC-SHA-256) and authenticated encryption (AES-256-GCM)."""

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flows.domain.records import Secret

NONCE_BYTES = 12
CACHED_CIPHERS = 4096
"""Ciphers of sessions kept, about a kilobyte each."""


def derive_key(secret: Secret, purpose: str) -> bytes:
    """Derive the 32-byte key of one purpose from the secret; keys of different purposes are independent."""
    label = f"dialtree {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=label).derive(secret.value.encode())


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """Return the HMAC-SHA-256 of the parts, each with its length, so that no two lists encode alike."""
    return hmac.digest(key, _join_parts(parts), hashlib.sha256)


def keyed_hashes(key: bytes, parts: Sequence[str], last_parts: Iterable[str]) -> Iterator[bytes]:
    """Yield `keyed_hash` of the parts and each of the last ones."""
    beginning = _join_parts(parts)
    for last in map(str.encode, last_parts):
        yield hmac.digest(key, b"%b%d:%b" % (beginning, len(last), last), hashlib.sha256)


def _join_parts(parts: Iterable[str]) -> bytes:
    return b"".join([b"%d:%b" % (len(part), part) for part in map(str.encode, parts)])


def subject_hash(key: bytes, operator: str, number: str) -> bytes:
    """Return the keyed hash that replaces a number in the tables of codes."""
    return keyed_hash(key, "subject", operator, number)


class AeadCipher:
    """AES-256-GCM encryption bound to a label (associated data): moved to another row it does not decrypt."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        self._cipher = AESGCM(derive_key(secret, purpose))

    def encrypt(self, plaintext: bytes, label: str) -> bytes:
        """Encrypt; the result begins with the nonce (96 random bits)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, label.encode())

    def encrypt_each(self, plaintexts: Sequence[bytes], labels: Sequence[str]) -> list[bytes]:
        """Encrypt many, each under its own label and nonce, as `encrypt` does; the nonces are drawn at once."""
        nonces = os.urandom(NONCE_BYTES * len(plaintexts))
        starts = range(0, len(nonces), NONCE_BYTES)
        seal = self._cipher.encrypt
        return [
            (nonce := nonces[start : start + NONCE_BYTES]) + seal(nonce, plaintext, label.encode())
            for start, plaintext, label in zip(starts, plaintexts, labels, strict=True)
        ]

    def decrypt(self, ciphertext: bytes, label: str) -> bytes:
        """Decrypt; ValueError when it was altered, moved to another label or encrypted with another secret."""
        try:
            return self._cipher.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], label.encode())
        except InvalidTag as error:
            raise ValueError(
                "decryption failed: altered, of another row, or encrypted with another secret_key"
            ) from error


class SessionCipher:
    """AES-256-GCM encryption under a key of each session's own, derived from its name by keyed BLAKE2b.

    One key for all would bear 2^32 values only, as nonces are drawn at random (NIST SP 800-38D); and a value
    copied to another session's name does not decrypt.
    """

    def __init__(self, secret: Secret) -> None:
        self._seed = blake2b(key=derive_key(secret, "sessions"), digest_size=32)
        # a turn seals what it has unsealed, and the session's next turn often comes to the same process
        self._session_cipher = lru_cache(maxsize=CACHED_CIPHERS)(self._derive_cipher)

    def encrypt(self, name: str, plaintext: bytes) -> bytes:
        """Encrypt; the result begins with the nonce (96 random bits) and is 28 bytes longer."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._session_cipher(name).encrypt(nonce, plaintext, None)

    def decrypt(self, name: str, ciphertext: bytes) -> bytes:
        """Decrypt; ValueError when it was altered, of another session, or encrypted with another secret."""
        nonce, rest = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        try:
            return self._session_cipher(name).decrypt(nonce, rest, None)
        except (InvalidTag, ValueError) as error:
            raise ValueError("session: altered, of another name, or sealed with another secret_key") from error

    def _derive_cipher(self, name: str) -> AESGCM:
        key = self._seed.copy()
        key.update(name.encode())
        return AESGCM(key.digest())
