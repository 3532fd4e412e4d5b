"""Sign-in at one identity provider: redeems codes, checks tokens, finds the rights of a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import KeySet

from gateway.console.openid.group_rights import build_group_user
from gateway.console.openid.identity_provider import IdentityProvider
from gateway.console.openid.login_attempt import LoginAttempt
from gateway.console.openid.openid_errors import OpenIdRefused, UnknownSigningKey
from gateway.console.openid.signed_claims import TokenChecker
from gateway.console.user_file import ConsoleUser
from storage.console.staff_identities import ExternalIdentity
from storage.console.staff_sessions import StaffSession


@dataclass(frozen=True, slots=True)
class OpenIdSignIn:
    """What the pages need of the provider, with every check made."""

    provider: IdentityProvider
    checker: TokenChecker

    @classmethod
    def from_provider(cls, provider: IdentityProvider) -> "OpenIdSignIn":
        """Build the sign-in of a provider."""
        return cls(provider, TokenChecker(provider.settings.issuer, provider.settings.client_id))

    @property
    def credential(self) -> str:
        """What sessions are bound to: another provider or client in the settings ends them."""
        return f"openid {self.checker.issuer} {self.checker.client_id}"

    async def redeem(self, code: str, attempt: LoginAttempt, now: datetime) -> Mapping[str, Any]:
        """Return the claims of the ID token that this code is worth; raises as the parts do."""
        redeemed = await self.provider.redeem_code(code, attempt.verifier)
        return await self._read_signed(
            lambda keys: self.checker.read_id_token(
                redeemed.id_token, keys, attempt.nonce, redeemed.access_token, now
            )
        )

    async def read_logout(self, token: str, now: datetime) -> ExternalIdentity:
        """Return whose sessions a logout token ends."""
        claims = await self._read_signed(lambda keys: self.checker.read_logout_token(token, keys, now))
        subject, session = (str(claims.get(name) or "") for name in ("sub", "sid"))
        if not subject and not session:
            raise OpenIdRefused("sub")
        return ExternalIdentity(self.checker.issuer, subject, session)

    def find_user(self, session: StaffSession) -> ConsoleUser | None:
        """Return the user of a session with the rights that the settings give their groups now."""
        return build_group_user(session.username, session.groups or (), self.provider.settings)

    async def _read_signed(self, read: Callable[[KeySet], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what `read` does with the provider's keys; a key we do not know yet is asked for once."""
        try:
            return read(await self.provider.load_keys())
        except UnknownSigningKey:
            return read(await self.provider.load_keys(must_renew=True))
