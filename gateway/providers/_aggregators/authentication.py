"""Authenticity checks a description may name: path token, Basic, header, query, HMAC, JWT."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt

from gateway.providers._aggregators.description import AuthenticationForm
from gateway.providers.contract import Connection, RawRequest

OLD_PREFIX = "old_"
"""The setting `old_NAME` holds the secret before, accepted while it is being changed."""


def setting_values(connection: Connection, name: str) -> list[str]:
    """Return a secret of the settings, and the one before it where that is set."""
    written = (getattr(connection.settings, each, None) for each in (name, f"{OLD_PREFIX}{name}"))
    return [
        value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for value in written
        if value
    ]


@dataclass(frozen=True, slots=True)
class AuthenticityChecker:
    """Checks requests as one description says. Every comparison takes constant time."""

    form: AuthenticationForm
    now: Callable[[], datetime] = field(repr=False)
    """Returns the current time, UTC."""

    def check(self, raw: RawRequest, fields: Mapping[str, str], connection: Connection) -> bool:
        """Return whether the request is the provider's; never raises."""
        checks: Mapping[str, Callable[[], bool]] = {
            "path": lambda: True,  # the guard has compared the path's token
            "basic": lambda: self._check_basic(raw, connection),
            "header": lambda: self._matches(
                raw.headers.get(self.form.header, ""), connection, self.form.setting
            ),
            "query": lambda: self._check_query(raw, connection),
            "hmac": lambda: self._check_hmac(raw, fields, connection),
            "jwt": lambda: self._check_jwt(raw, connection),
        }
        return checks[self.form.kind]()

    def _matches(self, given: str, connection: Connection, setting: str) -> bool:
        expected = setting_values(connection, setting)
        return any(_equal(given, value) for value in expected)

    def _check_basic(self, raw: RawRequest, connection: Connection) -> bool:
        scheme, _, encoded = raw.headers.get("Authorization", "").partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        user, colon, password = pair.partition(":")
        right = [
            self._matches(user, connection, self.form.user_setting),
            self._matches(password, connection, self.form.setting),
        ]
        return scheme.lower() == "basic" and bool(colon) and all(right)

    def _check_query(self, raw: RawRequest, connection: Connection) -> bool:
        query = dict(parse_qsl(urlsplit(raw.target).query, keep_blank_values=True))
        given = {setting: query.get(name, "") for name, setting in self.form.fields.items()}
        return all(self._matches(value, connection, setting) for setting, value in given.items())

    def _check_hmac(self, raw: RawRequest, fields: Mapping[str, str], connection: Connection) -> bool:
        timestamp, signatures = self._read_signatures(raw, fields)
        if self.form.over == "timestamp.body" and not self._is_recent(timestamp):
            return False
        signed = self._signed_bytes(raw, fields, timestamp)
        keys = setting_values(connection, self.form.setting)
        computed = [self._sign(key, signed) for key in keys]
        given = [each.lower() for each in signatures] if self.form.encoding == "hex" else signatures
        return any(_equal(each, own) for each in given for own in computed)

    def _read_signatures(self, raw: RawRequest, fields: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the timestamp and the signatures of the request."""
        if self.form.signature_field:
            return fields.get("timestamp", ""), [fields.get(self.form.signature_field, "")]
        written = raw.headers.get(self.form.header, "")
        if self.form.format == "plain":
            return raw.headers.get(self.form.timestamp_header, ""), [written]
        pairs = [part.strip().partition("=") for part in written.split(",")]
        times = [value for name, _, value in pairs if name == "t"]
        return times[0] if times else "", [value for name, _, value in pairs if name == "v1"]

    def _signed_bytes(self, raw: RawRequest, fields: Mapping[str, str], timestamp: str) -> bytes:
        if self.form.over == "timestamp.body":
            return timestamp.encode() + b"." + raw.body
        if self.form.over == "sorted-fields":
            return sorted_fields(fields, self.form.signature_field).encode()
        return raw.body

    def _sign(self, key: str, signed: bytes) -> str:
        digest = hmac.digest(key.encode(), signed, self.form.algorithm)
        return digest.hex() if self.form.encoding == "hex" else base64.b64encode(digest).decode()

    def _is_recent(self, timestamp: str) -> bool:
        """Return whether the signature is not older or newer than the tolerance: a replay is refused."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self.now().timestamp() - int(timestamp)) <= self.form.tolerance_seconds

    def _check_jwt(self, raw: RawRequest, connection: Connection) -> bool:
        scheme, _, token = raw.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        claims = [self._decode_claims(token, key) for key in setting_values(connection, self.form.setting)]
        return any(self._claims_hold(each, raw) for each in claims if each is not None)

    def _decode_claims(self, token: str, key: str) -> Mapping[str, Any] | None:
        """Return the claims of a rightly signed token; None otherwise. Its age is checked by `iat` here."""
        try:
            options: Any = {"verify_iat": False, "verify_exp": False, "verify_aud": False}
            return jwt.decode(token, key, algorithms=["HS256"], options=options)
        except (jwt.PyJWTError, ValueError):
            return None

    def _claims_hold(self, claims: Mapping[str, Any], raw: RawRequest) -> bool:
        if not self._is_recent(str(claims.get("iat", ""))):
            return False
        if not self.form.body_hash_claim:
            return True
        return _equal(str(claims.get(self.form.body_hash_claim, "")), hashlib.sha256(raw.body).hexdigest())


def sorted_fields(fields: Mapping[str, str], signature_field: str) -> str:
    """Return `&name=value` for every field but the signature, sorted by name; `&` and `=` become `_`."""
    pairs = sorted((name, value) for name, value in fields.items() if name != signature_field)
    return "".join(f"&{name}={value.translate(_UNDERSCORES)}" for name, value in pairs)


_UNDERSCORES = str.maketrans({"&": "_", "=": "_"})


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
