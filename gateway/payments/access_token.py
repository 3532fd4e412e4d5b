"""OAuth 2.0 access token of a payment provider (client credentials), kept until it expires."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flows.domain.failures import Down
from gateway.payments.answer_amounts import require_text
from gateway.payments.provider_client import ProviderCall, ProviderClient

UNAUTHORIZED_STATUS = 401
SPARE = timedelta(seconds=60)
"""How long before its end a token is no longer used."""
MAX_LIFETIME_SECONDS = 86_400
MAX_TOKEN_CHARACTERS = 8_000


@dataclass(slots=True)
class TokenBearer:
    """Makes calls with an access token; a token that is refused is fetched again once."""

    client: ProviderClient = field(repr=False)
    token_call: ProviderCall = field(repr=False)
    """The call that answers `access_token` and `expires_in` (RFC 6749, 4.4)."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of every call."""
    token: str = field(default="", repr=False)
    expires_at: datetime | None = None

    async def call(self, call: ProviderCall) -> tuple[int, Mapping[str, Any]]:
        """Return status and object of the answer; Down while no token is given."""
        status, answer = await self.client.call_for_status(await self._authorize(call))
        if status == UNAUTHORIZED_STATUS:
            self.expires_at = None
            status, answer = await self.client.call_for_status(await self._authorize(call))
        if status == UNAUTHORIZED_STATUS:
            raise Down("the payment provider refuses its own access token")
        return status, answer

    async def _authorize(self, call: ProviderCall) -> ProviderCall:
        if self.expires_at is None or self.client.now() >= self.expires_at:
            await self._fetch_token()
        return replace(call, headers={**self.headers, **call.headers, "Authorization": f"Bearer {self.token}"})

    async def _fetch_token(self) -> None:
        """Get a token. Refused credentials are our fault, not the payer's: Down, so that it is tried again."""
        status, answer = await self.client.call_for_status(self.token_call)
        if status != 200:
            raise Down(f"the payment provider gives no access token: {status}")
        given = str(answer.get("expires_in"))
        seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
        self.token = require_text(answer, "access_token", MAX_TOKEN_CHARACTERS)
        lifetime = timedelta(seconds=min(seconds, MAX_LIFETIME_SECONDS))
        self.expires_at = self.client.now() + lifetime - SPARE


def basic_authorization(user: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
