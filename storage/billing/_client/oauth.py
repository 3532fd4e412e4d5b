"""OAuth2 client credentials: one shared access token, renewed before it expires."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, encode_basic_auth

from flows.domain.failures import Down
from flows.domain.records import Secret
from storage.billing._client.body_reader import read_json

RENEWAL_MARGIN_SECONDS = 30.0
"""A token is renewed this long before it expires."""
MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS = 30.0, 86_400.0
"""Bounds of the time a token is used, whatever `expires_in` says."""


@dataclass(slots=True)
class OAuthTokenSource:
    """Source of the access token of one client at one authorization server (RFC 6749, 4.4)."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    clock: Callable[[], float] = time.monotonic
    token: str = field(default="", repr=False)
    expires_at: float = 0.0
    fetch_lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def bearer_header(self, session: ClientSession) -> str:
        """Return the `Authorization` value, fetching a token when there is none or it expires soon.

        Raises Down when the server gives no token, ClientError when it cannot be reached.
        """
        async with self.fetch_lock:
            if not self.token or self.clock() >= self.expires_at:
                await self._fetch_token(session)
        return self._format_header()

    def invalidate_token(self, header: str) -> None:
        """Discard a token the BSS rejected, unless it was replaced meanwhile."""
        if header == self._format_header():
            self.token = ""

    def _format_header(self) -> str:
        return f"Bearer {self.token}"

    async def _fetch_token(self, session: ClientSession) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        headers = {"Authorization": encode_basic_auth(self.client_id, self.client_secret.value)}
        async with session.post(self.url, data=form, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise Down(f"the authorization server answered {response.status}")
            token_answer = await read_json(response)
        self.token, life = _parse_token(token_answer.body)
        self.expires_at = self.clock() + max(MIN_LIFETIME_SECONDS, life - RENEWAL_MARGIN_SECONDS)


def _parse_token(body: Any) -> tuple[str, float]:
    try:
        token, life = body["access_token"], float(body.get("expires_in", 300))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Down("the authorization server gave no token") from error
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not life > 0:
        raise Down("the authorization server gave no token")
    return token, min(life, MAX_LIFETIME_SECONDS)
