"""CSRF protection: a signed form token, bound to a cookie and to the path it is posted to."""

import hmac
import re
from dataclasses import dataclass, field

from aiohttp import web

from flows.domain.records import Secret

_SEED = re.compile(r"[A-Za-z0-9_-]{16,64}")
FIELD = "form_token"
"""The hidden field that carries the token."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and sets cookies, as strictly as the public URL allows."""

    secure: bool
    """True when the public URL is https."""

    def name(self, plain: str) -> str:
        """Return the cookie's full name.

        `__Host-` keeps other hosts of the domain from setting it; browsers accept it over https only.
        """
        return f"__Host-{plain}" if self.secure else plain

    def give(self, response: web.Response, plain: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie for so many seconds, or until the browser closes."""
        response.set_cookie(
            self.name(plain),
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="Strict",
        )

    def take(self, response: web.Response, plain: str) -> None:
        """Delete a cookie."""
        self.give(response, plain, "", 0)

    def read(self, request: web.Request, plain: str) -> str:
        """Return the cookie's value; empty when the request has none."""
        return request.cookies.get(self.name(plain), "")


@dataclass(frozen=True, slots=True)
class Forms:
    """Signs and checks form tokens."""

    key: bytes = field(repr=False)

    def token(self, seed: str, path: str) -> str:
        """Return the token of a form posted to `path` by the holder of the cookie `seed`."""
        message = f"form {path} {seed}".encode()
        return hmac.digest(self.key, message, "sha256").hex()

    def ours(self, seed: str, path: str, given: str) -> bool:
        """Return whether the token matches cookie and path, compared in constant time."""
        seed_is_valid = is_seed(seed)
        expected = self.token(seed if seed_is_valid else "", path)
        return hmac.compare_digest(expected.encode(), given.encode()) and seed_is_valid

    def mark(self, label: str, token: Secret, more: str = "") -> str:
        """Return a keyed hash of a link's token, by which it may be stored: 64 hexadecimal digits."""
        message = f"{label}\x00{token.value}\x00{more}".encode()
        return hmac.digest(self.key, message, "sha256").hex()


def is_seed(value: str) -> bool:
    """Return whether the value has the form of our cookies."""
    return _SEED.fullmatch(value) is not None
