"""CSRF protection: a signed form token, bound to a cookie and to the path it is posted to."""

import hmac
import re
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from flows.domain.records import Secret
from menus.model.typed_text import TypedText

_SEED_PATTERN = re.compile(r"[A-Za-z0-9_-]{16,64}")
CSRF_FIELD = "form_token"
"""The hidden field that carries the token."""
FORM_COOKIE = "form"
"""Base name of the cookie that form tokens of the subscriber pages are bound to."""


@dataclass(frozen=True, slots=True)
class CookieJar:
    """Names and sets cookies, as strictly as the public URL allows."""

    secure: bool
    """True when the public URL is https."""

    def full_name(self, base_name: str) -> str:
        """Return the cookie's full name.

        `__Host-` keeps other hosts of the domain from setting it; browsers accept it over https only.
        """
        return f"__Host-{base_name}" if self.secure else base_name

    def set_cookie(
        self,
        response: web.Response,
        base_name: str,
        value: str,
        max_age_seconds: int | None = None,
        *,
        same_site: Literal["Strict", "Lax"] = "Strict",
    ) -> None:
        """Set a cookie for so many seconds, or until the browser closes.

        `Lax` is for one that must come along when another site leads the browser to us.
        """
        response.set_cookie(
            self.full_name(base_name),
            value,
            max_age=max_age_seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite=same_site,
        )

    def delete_cookie(self, response: web.Response, base_name: str) -> None:
        """Delete a cookie."""
        self.set_cookie(response, base_name, "", 0)

    def read_cookie(self, request: web.Request, base_name: str) -> str:
        """Return the cookie's value, which hides itself; empty when the request has none."""
        return TypedText(request.cookies.get(self.full_name(base_name), ""))


@dataclass(frozen=True, slots=True)
class CsrfTokens:
    """Signs and checks form tokens."""

    key: bytes = field(repr=False)

    def form_token(self, seed: str, path: str) -> str:
        """Return the token of a form posted to `path` by the holder of the cookie `seed`."""
        message = f"form {path} {seed}".encode()
        return hmac.digest(self.key, message, "sha256").hex()

    def is_valid(self, seed: str, path: str, token: str) -> bool:
        """Return whether the token matches cookie and path, compared in constant time."""
        seed_is_valid = is_seed(seed)
        expected = self.form_token(seed if seed_is_valid else "", path)
        return hmac.compare_digest(expected.encode(), token.encode()) and seed_is_valid

    def keyed_hash(self, label: str, token: Secret, extra: str = "") -> str:
        """Return a keyed hash of a link's token, by which it may be stored: 64 hexadecimal digits."""
        message = f"{label}\x00{token.value}\x00{extra}".encode()
        return hmac.digest(self.key, message, "sha256").hex()


def is_seed(value: str) -> bool:
    """Return whether the value has the form of our cookies."""
    return _SEED_PATTERN.fullmatch(value) is not None
