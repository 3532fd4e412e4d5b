"""OAuth2 client credentials: one shared access token, renewed before it expires."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, encode_basic_auth

from flows.domain.failures import Down
from flows.domain.records import Secret
from flows.domain.single_flight import SingleFlight
from storage.billing._client.body_reader import read_json

RENEWAL_MARGIN_SECONDS = 30.0
"""A token is renewed this long before it expires."""
MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS = 30.0, 86_400.0
"""Bounds of the time a token is used, whatever `expires_in` says."""
DEFAULT_LIFETIME_SECONDS = 300.0
"""Used when `expires_in`, which is optional (RFC 6749, 5.1), is missing or says nothing."""
FETCH_SECONDS = 30.0
"""Time limit of one token request; its callers may leave earlier."""


@dataclass(slots=True)
class OAuthTokenSource:
    """Source of the access token of one client at one authorization server (RFC 6749, 4.4)."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    clock: Callable[[], float] = time.monotonic
    token: str = field(default="", repr=False)
    renew_at: float = 0.0
    expires_at: float = 0.0
    fetches: SingleFlight[str, None] = field(default_factory=SingleFlight, repr=False)

    async def bearer_header(self, session: ClientSession) -> str:
        """Return the `Authorization` value, fetching a token when there is none or it expires soon.

        One fetch serves every caller and goes on when they leave, so that a slow server's token is there for
        the next one. Raises Down when the server gives no token, ClientError when it cannot be reached.
        """
        now = self.clock()
        if not self.token or now >= self.renew_at:
            fetch = self.fetches.start("token", lambda: self._fetch_token(session))
            if not self.token or now >= self.expires_at:
                await asyncio.shield(fetch)
        return self._format_header()

    async def close(self) -> None:
        """Cancel a fetch under way."""
        await self.fetches.close()

    def invalidate_token(self, header: str) -> None:
        """Discard a token the BSS rejected, unless it was replaced meanwhile."""
        if header == self._format_header():
            self.token = ""

    def _format_header(self) -> str:
        return f"Bearer {self.token}"

    async def _fetch_token(self, session: ClientSession) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        headers = {"Authorization": encode_basic_auth(self.client_id, self.client_secret.value)}
        post = session.post(self.url, data=form, headers=headers, allow_redirects=False)
        async with asyncio.timeout(FETCH_SECONDS), post as response:
            if response.status != 200:
                raise Down(f"the authorization server answered {response.status}")
            token_answer = await read_json(response)
        self.token, life = _parse_token(token_answer.body)
        now = self.clock()
        self.renew_at = now + max(MIN_LIFETIME_SECONDS, life - RENEWAL_MARGIN_SECONDS)
        self.expires_at = now + max(MIN_LIFETIME_SECONDS, life)


def _parse_token(body: Any) -> tuple[str, float]:
    """Return the access token and its lifetime in seconds; Down when there is no usable token."""
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise Down("the authorization server gave no token")
    return token, _parse_lifetime(body.get("expires_in"))


def _parse_lifetime(value: object) -> float:
    """Return the seconds that `expires_in` says, as a number or a string; the default for anything else."""
    try:
        life = float(str(value))
    except ValueError:
        return DEFAULT_LIFETIME_SECONDS
    return min(life, MAX_LIFETIME_SECONDS) if life > 0 else DEFAULT_LIFETIME_SECONDS
