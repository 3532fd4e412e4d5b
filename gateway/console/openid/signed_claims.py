"""Claims of signed tokens (JWT): the ID token of a sign-in, the logout token of a back-channel logout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authlib.oauth2.claims import JWTClaims
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.console.openid.openid_errors import OpenIdRefused, UnknownSigningKey

SIGNING_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Asymmetric ones only, whatever a token's header or the discovery document names: neither `none` nor HMAC."""
CLOCK_SKEW_SECONDS = 60
"""How far the provider's clock may be from ours."""
MAX_TOKEN_CHARACTERS = 32_000
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""What a logout token must say it is (OpenID Connect Back-Channel Logout 1.0, 2.4)."""


@dataclass(frozen=True, slots=True)
class TokenChecker:
    """Checks tokens of one provider for one client."""

    issuer: str
    client_id: str

    def read_id_token(
        self, token: str, keys: KeySet, nonce: str, access_token: str, now: datetime
    ) -> Mapping[str, Any]:
        """Return the claims of an ID token that was made for this client and this sign-in (Core 1.0, 3.1.3.7).

        Raises UnknownSigningKey, and OpenIdRefused with the claim's name for one that is missing or wrong.
        """
        signed = _verify_signature(token, keys)
        params = {"nonce": nonce, "client_id": self.client_id, "access_token": access_token}
        claims = CodeIDToken(signed.claims, signed.header, self._expected_claims(), params)
        return _validate_claims(claims, now)

    def read_logout_token(self, token: str, keys: KeySet, now: datetime) -> Mapping[str, Any]:
        """Return the claims of a logout token of this client: with `sub`, `sid` or both, never a nonce."""
        signed = _verify_signature(token, keys)
        needed = {name: {"essential": True} for name in ("iat", "jti")}
        claims = _validate_claims(
            JWTClaims(signed.claims, signed.header, {**self._expected_claims(), **needed}), now
        )
        events = claims.get("events")
        if "nonce" in claims or not isinstance(events, dict) or LOGOUT_EVENT not in events:
            raise OpenIdRefused("events")
        return claims

    def _expected_claims(self) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
        }


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """Claims and header of a token whose signature is right."""

    claims: dict[str, Any] = field(repr=False)
    header: dict[str, Any]


def _verify_signature(token: str, keys: KeySet) -> SignedClaims:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise OpenIdRefused("token_size")
    try:
        decoded = jwt.decode(token, keys, algorithms=SIGNING_ALGORITHMS)
    except InvalidKeyIdError as error:
        raise UnknownSigningKey from error
    except (JoseError, ValueError, RecursionError) as error:
        raise OpenIdRefused("signature") from error
    if not isinstance(decoded.claims, dict):
        raise OpenIdRefused("claims")
    return SignedClaims(decoded.claims, dict(decoded.header))


def _validate_claims(claims: JWTClaims, now: datetime) -> Mapping[str, Any]:
    """Return the claims once Authlib has found them right at this time."""
    try:
        claims.validate(int(now.timestamp()), CLOCK_SKEW_SECONDS)
    except ClaimError as error:
        raise OpenIdRefused(str(error.claim)) from error
    except (TypeError, ValueError) as error:
        raise OpenIdRefused("claims") from error
    return dict(claims)
