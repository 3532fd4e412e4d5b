"""Identity provider over HTTP: discovery document, signing keys, token endpoint, with limits."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from authlib.oauth2 import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.connect_failure import describe_unreachable
from flows.domain.failures import Down, Slow
from gateway.console.openid.openid_errors import OpenIdRefused
from gateway.console_settings import OpenIdSettings
from gateway.settings_safety import is_private_channel

DEADLINE_SECONDS = 3.0
"""One request: a sign-in makes three at most, within the console's limit of 10 seconds."""
MAX_ANSWER_BYTES = 512 * 1024
MAX_REQUESTS, MAX_WAITING = 8, 16
"""Requests to the provider at once, and those that wait; further ones are refused."""
METADATA_LIFETIME = timedelta(hours=1)
KEYS_LIFETIME = timedelta(minutes=10)
"""How long a key that the provider has withdrawn is still accepted at most."""
KEYS_INTERVAL = timedelta(seconds=10)
"""Least time between two requests for keys, whoever sends us tokens with unknown ones."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
"""Addresses a discovery document must have."""
KEY_TYPES = ("RSA", "EC")
REQUEST_HEADERS = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What of the discovery document is used (OpenID Connect Discovery 1.0, 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str
    """Where a user signs out at the provider; empty where it has no such page."""
    secret_in_body: bool
    """Whether the client's secret is sent in the form instead of the header."""


@dataclass(frozen=True, slots=True)
class RedeemedCode:
    """What the token endpoint gave for a code."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


@dataclass(slots=True)
class IdentityProvider:
    """One provider and our client there. Raises Unavailable when it does not answer as it should."""

    settings: OpenIdSettings
    return_url: str
    """Where the provider sends users back to, as it is registered there."""
    now: Callable[[], datetime] = field(repr=False)
    limit: ConcurrencyLimit = field(init=False, repr=False)
    session: ClientSession | None = field(default=None, init=False, repr=False)
    metadata: tuple[datetime, ProviderMetadata] | None = field(default=None, init=False, repr=False)
    """The discovery document, with the time it was read."""
    keys: tuple[datetime, KeySet] | None = field(default=None, init=False, repr=False)
    """The signing keys, with the time they were read."""

    def __post_init__(self) -> None:
        self.limit = ConcurrencyLimit(MAX_REQUESTS, MAX_WAITING)

    async def load_metadata(self) -> ProviderMetadata:
        """Return the discovery document, read at most once an hour."""
        if self.metadata is None or self.now() - self.metadata[0] > METADATA_LIFETIME:
            url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            self.metadata = self.now(), _parse_metadata(await self._get(url), self.settings.issuer)
        return self.metadata[1]

    async def load_keys(self, *, must_renew: bool = False) -> KeySet:
        """Return the signing keys; `must_renew` reads them anew unless that was done a moment ago."""
        longest = KEYS_INTERVAL if must_renew else KEYS_LIFETIME
        if self.keys is None or self.now() - self.keys[0] > longest:
            metadata = await self.load_metadata()
            self.keys = self.now(), _parse_keys(await self._get(metadata.jwks_uri))
        return self.keys[1]

    async def redeem_code(self, code: str, verifier: str) -> RedeemedCode:
        """Exchange a code for tokens, with the proof that we began this sign-in (RFC 7636).

        Raises OpenIdRefused for a code that the provider does not know, or no longer.
        """
        metadata = await self.load_metadata()
        client = self._client_auth(metadata)
        form = prepare_token_request(
            "authorization_code", redirect_uri=self.return_url, code=code, code_verifier=verifier
        )
        url, headers, body = client.prepare("POST", metadata.token_endpoint, dict(REQUEST_HEADERS), form)
        status, answer = await self._exchange("POST", url, headers, body)
        if not 200 <= status < 300:
            raise OpenIdRefused("code")
        return RedeemedCode(_require_text(answer, "id_token"), str(answer.get("access_token") or ""))

    def _client_auth(self, metadata: ProviderMetadata) -> ClientAuth:
        """Return how we say who we are; in the header both are encoded like a form's (RFC 6749, 2.3.1)."""
        name, secret = self.settings.client_id, self.settings.client_secret.get_secret_value()
        if not secret:
            return ClientAuth(name, "", "none")
        if metadata.secret_in_body:
            return ClientAuth(name, secret, "client_secret_post")
        return ClientAuth(quote_plus(name), quote_plus(secret), "client_secret_basic")

    async def close(self) -> None:
        """Close the connections."""
        if self.session is not None:
            await self.session.close()

    async def _get(self, url: str) -> Mapping[str, Any]:
        status, answer = await self._exchange("GET", url, dict(REQUEST_HEADERS), None)
        if status != 200:
            raise Down(f"the identity provider answered {status}")
        return answer

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> tuple[int, Mapping[str, Any]]:
        """Return status and JSON object of an answer below 500; redirects are not followed."""
        if self.session is None:
            self.session = ClientSession(timeout=ClientTimeout(total=None), cookie_jar=DummyCookieJar())
        try:
            async with (
                self.limit,
                asyncio.timeout(DEADLINE_SECONDS),
                self.session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer,
            ):
                data = bytearray()
                while (part := await answer.content.readany()) and len(data) <= MAX_ANSWER_BYTES:
                    data += part
        except TimeoutError as error:
            raise Slow("the identity provider took too long") from error
        except (ClientError, OSError) as error:
            raise Down(describe_unreachable("the identity provider", error)) from error
        if answer.status >= 500:
            raise Down(f"the identity provider answered {answer.status}")
        return answer.status, _parse_object(bytes(data))


def _parse_object(data: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(data) if len(data) <= MAX_ANSWER_BYTES else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Down("the identity provider answered no JSON object")
    return answer


def _parse_metadata(answer: Mapping[str, Any], issuer: str) -> ProviderMetadata:
    """Return the document of this very issuer; Down for another's, and for addresses without TLS."""
    if answer.get("issuer") != issuer:
        raise Down("the discovery document is of another issuer than console.openid.issuer")
    authorization, token, keys = (_require_text(answer, name) for name in ENDPOINTS)
    end_session = str(answer.get("end_session_endpoint") or "")
    if not all(is_private_channel(url) for url in (authorization, token, keys, end_session or issuer)):
        raise Down("the discovery document has addresses without https")
    methods = answer.get("token_endpoint_auth_methods_supported")
    in_body = isinstance(methods, list) and "client_secret_post" in methods
    return ProviderMetadata(authorization, token, keys, end_session, in_body)


def _parse_keys(answer: Mapping[str, Any]) -> KeySet:
    """Return the keys that can sign tokens; keys of kinds that are not used here are left out."""
    written = answer.get("keys")
    rows = [row for row in written if isinstance(row, dict)] if isinstance(written, list) else []
    usable = [row for row in rows if row.get("kty") in KEY_TYPES and row.get("use") != "enc"]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError) as error:
        raise Down("the identity provider has no usable signing keys") from error


def _require_text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise Down(f"the identity provider's answer has no {name}")
    return value
