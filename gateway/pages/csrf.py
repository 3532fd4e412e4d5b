"""Proof that a form was ours: a signed token in it, bound to a cookie and to the place it is posted to."""

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
    """How cookies are named and set: the strictest way the public URL allows."""

    secure: bool
    """True when subscribers reach us over https."""

    def name(self, plain: str) -> str:
        """`__Host-` keeps other hosts of the domain from planting one; browsers take it over https only."""
        return f"__Host-{plain}" if self.secure else plain

    def give(self, response: web.Response, plain: str, value: str, seconds: int | None = None) -> None:
        """Set one, for so many seconds or until the browser closes."""
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
        """Have the browser forget one."""
        self.give(response, plain, "", 0)

    def read(self, request: web.Request, plain: str) -> str:
        """The value that came along; empty when none did."""
        return request.cookies.get(self.name(plain), "")


@dataclass(frozen=True, slots=True)
class Forms:
    """Signs and checks the tokens of forms."""

    key: bytes = field(repr=False)

    def token(self, seed: str, path: str) -> str:
        """The token of a form posted to `path` by whoever holds the cookie `seed`."""
        message = f"form {path} {seed}".encode()
        return hmac.digest(self.key, message, "sha256").hex()

    def ours(self, seed: str, path: str, given: str) -> bool:
        """Does the token fit the cookie and the place? Compared in constant time."""
        known = is_seed(seed)
        expected = self.token(seed if known else "", path)
        return hmac.compare_digest(expected.encode(), given.encode()) and known

    def mark(self, label: str, token: Secret, more: str = "") -> str:
        """What a link's token is called where it may be stored: keyed, 64 hexadecimal digits."""
        message = f"{label}\x00{token.value}\x00{more}".encode()
        return hmac.digest(self.key, message, "sha256").hex()


def is_seed(value: str) -> bool:
    """Could this be one of our cookies, a form's or a sitting's?"""
    return _SEED.fullmatch(value) is not None
