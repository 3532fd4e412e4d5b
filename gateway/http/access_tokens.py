"""Access tokens of merchants: signed here, valid for an hour, limited to scopes (RFC 6749, 4.4).

A token is `PAYLOAD.MAC`, both base64url. The MAC covers the merchant's client secret, so tokens end with it.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from gateway.http.guard import token_matches
from gateway.purchases.merchant_settings import MerchantScope, MerchantSettings
from storage.crypto import keyed_hash

TOKEN_SECONDS = 3600
MERCHANT_SCOPES: tuple[MerchantScope, ...] = get_args(MerchantScope)


@dataclass(frozen=True, slots=True)
class MerchantGrant:
    """Who a token belongs to, and what it may do."""

    merchant: str
    settings: MerchantSettings = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class MerchantTokens:
    """Issues and verifies access tokens; a merchant's fixed `token` is one that has all its scopes."""

    merchants: Mapping[str, Mapping[str, MerchantSettings]] = field(repr=False)
    """Merchants by name, by operator."""
    key: bytes = field(repr=False)
    now: Callable[[], datetime]

    def find_client(self, operator: str, client: str, secret: str) -> MerchantSettings | None:
        """Return the merchant with this name and client secret; None for any other."""
        settings = self.merchants.get(operator, {}).get(client)
        known = settings.client_secrets if settings else ()
        return settings if known and token_matches(secret, known) else None

    def issue_token(self, operator: str, client: str, scopes: frozenset[str]) -> str:
        """Return an access token of a merchant, signed with its newest client secret."""
        expires = int(self.now().timestamp()) + TOKEN_SECONDS
        payload = _encode(json.dumps([client, sorted(scopes), expires]).encode())
        secret = self.merchants[operator][client].client_secrets[0]
        return f"{payload}.{self._sign(operator, secret, payload)}"

    def find_grant(self, operator: str, token: str) -> MerchantGrant | None:
        """Return what a bearer token grants; None for one that is wrong or has expired."""
        for name, settings in self.merchants.get(operator, {}).items():
            if token_matches(token, settings.tokens):
                return MerchantGrant(name, settings, frozenset(settings.scopes))
        return self._verify_token(operator, token)

    def _verify_token(self, operator: str, token: str) -> MerchantGrant | None:
        payload, _, mac = token.partition(".")
        name, scopes, expires = _read_payload(payload)
        merchant = self.merchants.get(operator, {}).get(name)
        if merchant is None or expires <= self.now().timestamp():
            return None
        macs = tuple(self._sign(operator, each, payload).encode() for each in merchant.client_secrets)
        if not token_matches(mac, macs):
            return None
        return MerchantGrant(name, merchant, frozenset(scopes) & frozenset(merchant.scopes))

    def _sign(self, operator: str, secret: bytes, payload: str) -> str:
        return _encode(keyed_hash(self.key, "access token", operator, secret.decode(), payload))


def _read_payload(payload: str) -> tuple[str, list[str], float]:
    """Return name, scopes and expiry; an empty name for a payload that is none."""
    try:
        document: Any = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        name, scopes, expires = document
        return str(name), list(map(str, scopes)), float(expires)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return "", [], 0.0


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
