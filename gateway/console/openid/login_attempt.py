"""Login attempt at the identity provider: state, nonce and PKCE verifier, sealed in a cookie."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from gateway.console.openid.openid_errors import OpenIdRefused
from gateway.console_settings import OpenIdSettings
from gateway.pages.sealed_token import TokenSealer

ATTEMPT_COOKIE = "console_openid"
ATTEMPT_LIFETIME = timedelta(minutes=10)
"""How long a user may take at the provider."""
SEAL_LABEL = "openid"


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """What ties the provider's answer to the browser that asked, and its token to this one sign-in."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    began_at: datetime

    def authorization_url(self, endpoint: str, settings: OpenIdSettings, return_url: str) -> str:
        """Return the provider's address that asks the user to sign in (Core 1.0, 3.1.2.1; RFC 7636)."""
        url: str = prepare_grant_uri(
            endpoint,
            settings.client_id,
            "code",
            return_url,
            settings.scope,
            self.state,
            nonce=self.nonce,
            code_challenge=create_s256_code_challenge(self.verifier),
            code_challenge_method="S256",
        )
        return url

    def seal(self, sealer: TokenSealer) -> str:
        """Return the attempt as the value of its cookie."""
        began = str(int(self.began_at.timestamp()))
        return sealer.seal_words([self.state, self.nonce, self.verifier, began], SEAL_LABEL)

    def require_answer(self, query: Mapping[str, str], issuer: str, now: datetime) -> str:
        """Return the code of the provider's answer to this attempt.

        Raises OpenIdRefused for the answer to another attempt, of another provider (RFC 9207), too late, or
        without a code.
        """
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            raise OpenIdRefused("state")
        if not timedelta(0) <= now - self.began_at <= ATTEMPT_LIFETIME:
            raise OpenIdRefused("attempt_over")
        if query.get("iss", issuer) != issuer:
            raise OpenIdRefused("iss")
        if not query.get("code"):
            raise OpenIdRefused("provider_refused")
        return query["code"]


def unseal_attempt(sealed: str, sealer: TokenSealer) -> LoginAttempt:
    """Return the attempt of a cookie; OpenIdRefused when this browser has begun none."""
    words = sealer.unseal_words(sealed, SEAL_LABEL) if sealed else None
    if words is None:
        raise OpenIdRefused("no_attempt")
    state, nonce, verifier, began = words
    return LoginAttempt(state, nonce, verifier, datetime.fromtimestamp(int(began), UTC))
