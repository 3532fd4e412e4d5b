"""Signed token of a callback: a JSON Web Token (RFC 7519, RS512) that holds the hash of the body."""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha512
from typing import Any

import jwt
from jwt.types import Options

MAX_TOKEN_CHARACTERS = 4_000
CLOCK_SKEW_SECONDS = 300
MILLISECONDS_FROM = 100_000_000_000
"""Times above this are in milliseconds: in seconds it is the year 5138."""
LATEST_MILLISECONDS = 253_402_300_799_999
"""The end of the year 9999."""
ALGORITHM = "RS512"
UNCHECKED: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
"""Checked here instead, as times may be in milliseconds and are by our clock; the caller checks `aud`."""


def require_public_key(pem: bytes) -> bytes:
    """Return an RSA public key in PEM form as it is; ValueError when it is none."""
    try:
        jwt.get_algorithm_by_name(ALGORITHM).prepare_key(pem)
    except jwt.PyJWTError as error:
        raise ValueError("not an RSA public key") from error
    return pem


def read_signed_token(token: str, body: bytes, keys: Sequence[bytes], now: datetime) -> Mapping[str, Any]:
    """Return the claims of a token that one of these keys has signed and that is about this body.

    ValueError when it is forged, of another algorithm, over, from the future, or about another body. The
    algorithm is ours: what the token's header names is only compared.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise ValueError("the token is too long")
    claims = next((found for key in keys if (found := _read_claims(token, key)) is not None), None)
    if claims is None:
        raise ValueError("the signature does not match")
    _require_time(claims, now)
    digest = b64encode(sha512(body).digest())
    if not hmac.compare_digest(str(claims.get("sub")).encode(), digest):
        raise ValueError("the token is about another body")
    return claims


def _read_claims(token: str, key: bytes) -> Mapping[str, Any] | None:
    """Return the claims if this key has signed them, else None."""
    try:
        claims: Mapping[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM], options=UNCHECKED)
    except (jwt.PyJWTError, RecursionError):
        return None
    return claims


def _require_time(claims: Mapping[str, Any], now: datetime) -> None:
    """Require that the token is not over, nor from the future; a claim that is missing limits nothing."""
    seconds = {name: _seconds(claims.get(name)) for name in ("exp", "nbf", "iat")}
    at = now.timestamp()
    ends, begins = seconds["exp"], max(seconds["nbf"] or 0.0, seconds["iat"] or 0.0)
    if (ends is not None and at > ends + CLOCK_SKEW_SECONDS) or begins > at + CLOCK_SKEW_SECONDS:
        raise ValueError("the token is over, or from the future")


def _seconds(value: object) -> float | None:
    """Return a time in Unix seconds, also of one in milliseconds; None for no time.

    ValueError for one that no calendar has.
    """
    if type(value) is not int:
        return None
    if abs(value) > LATEST_MILLISECONDS:
        raise ValueError("the token has a time that no calendar has")
    return value / 1000 if value > MILLISECONDS_FROM else float(value)
