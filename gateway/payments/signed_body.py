"""Signature of a callback: `t=SECONDS,v1=HEX`, HMAC-SHA-256 over `SECONDS.BODY`, in a window."""

import hmac
from collections.abc import Sequence
from datetime import datetime

from flows.domain.failures import BadRequest

TOLERANCE_SECONDS = 300
"""Age of a signature, either way, that is still accepted (Stripe's documented default)."""
MAX_HEADER_CHARACTERS = 1_000


def sign_body(secret: bytes, body: bytes, at: int) -> str:
    """Return the header that signs a body at a time in Unix seconds."""
    return f"t={at},v1={_digest(secret, body, at)}"


def verify_signed_body(header: str, body: bytes, secrets: Sequence[bytes], now: datetime) -> None:
    """Check a signature header; BadRequest 401 when it is missing, forged or outside the window.

    Every `v1` is tried with every secret, in constant time; other schemes are ignored.
    """
    pairs = [part.strip().partition("=") for part in header[:MAX_HEADER_CHARACTERS].split(",")]
    times = [value for name, _, value in pairs if name == "t" and value.isascii() and value.isdigit()]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or len(times[0]) > 12 or not given:
        raise BadRequest("the callback is not signed", 401)
    at = int(times[0])
    expected = [_digest(secret, body, at).encode() for secret in secrets]
    matches = [
        hmac.compare_digest(each.encode("utf-8", "replace"), known) for each in given for known in expected
    ]
    if not any(matches):
        raise BadRequest("the signature does not match", 401)
    if abs(now.timestamp() - at) > TOLERANCE_SECONDS:
        raise BadRequest("the signature is too old", 401)


def _digest(secret: bytes, body: bytes, at: int) -> str:
    return hmac.digest(secret, b"%d." % at + body, "sha256").hex()
