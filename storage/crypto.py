"""Key derivation (HKDF), keyed hashes (HMAC-SHA-256) and authenticated encryption (AES-256-GCM)."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flows.domain.records import Secret

NONCE_BYTES = 12


def derive_key(secret: Secret, purpose: str) -> bytes:
    """Derive the 32-byte key of one purpose from the secret; keys of different purposes are independent."""
    label = f"dialtree {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=label).derive(secret.value.encode())


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """Return the HMAC-SHA-256 of the parts, each with its length, so that no two lists encode alike."""
    text = b"".join([b"%d:%b" % (len(part), part) for part in map(str.encode, parts)])
    return hmac.digest(key, text, hashlib.sha256)


def subject_hash(key: bytes, operator: str, number: str) -> bytes:
    """Return the keyed hash that stands for a number in the tables of codes."""
    return keyed_hash(key, "subject", operator, number)


class AeadCipher:
    """AES-256-GCM encryption bound to a label (associated data): moved to another row it does not decrypt."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        self._cipher = AESGCM(derive_key(secret, purpose))

    def encrypt(self, plaintext: bytes, label: str) -> bytes:
        """Encrypt; the result begins with the nonce (96 random bits)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, label.encode())

    def decrypt(self, ciphertext: bytes, label: str) -> bytes:
        """Decrypt; ValueError when it was altered, moved to another label or encrypted with another secret."""
        try:
            return self._cipher.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], label.encode())
        except InvalidTag as error:
            raise ValueError(
                "decryption failed: altered, of another row, or encrypted with another secret_key"
            ) from error
