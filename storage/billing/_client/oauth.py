"""OAuth2 client credentials: one shared access token, renewed before it expires."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, encode_basic_auth

from flows.domain.failures import Down
from flows.domain.records import Secret
from storage.billing._client.body_reader import answer

EARLY_SECONDS = 30.0
"""A token is renewed this long before it expires."""
SHORTEST_SECONDS, LONGEST_SECONDS = 30.0, 86_400.0
"""Bounds of the time a token is used, whatever `expires_in` says."""


@dataclass(slots=True)
class Tokens:
    """Source of the access token of one client at one authorization server (RFC 6749, 4.4)."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    clock: Callable[[], float] = time.monotonic
    token: str = field(default="", repr=False)
    until: float = 0.0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def bearer(self, session: ClientSession) -> str:
        """Return the `Authorization` value, fetching a token when there is none or it expires soon.

        Raises Down when the server gives no token, ClientError when it cannot be reached.
        """
        async with self.fetching:
            if not self.token or self.clock() >= self.until:
                await self._fetch(session)
        return self._bearer()

    def forget(self, bearer: str) -> None:
        """Discard a token the BSS rejected, unless it was replaced meanwhile."""
        if bearer == self._bearer():
            self.token = ""

    def _bearer(self) -> str:
        return f"Bearer {self.token}"

    async def _fetch(self, session: ClientSession) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        headers = {"Authorization": encode_basic_auth(self.client_id, self.client_secret.value)}
        async with session.post(self.url, data=form, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise Down(f"the authorization server answered {response.status}")
            token_answer = await answer(response)
        self.token, life = _token(token_answer.body)
        self.until = self.clock() + max(SHORTEST_SECONDS, life - EARLY_SECONDS)


def _token(told: Any) -> tuple[str, float]:
    try:
        token, life = told["access_token"], float(told.get("expires_in", 300))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Down("the authorization server gave no token") from error
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not life > 0:
        raise Down("the authorization server gave no token")
    return token, min(life, LONGEST_SECONDS)
