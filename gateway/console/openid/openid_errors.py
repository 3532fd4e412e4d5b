"""Failures of a sign-in by OpenID Connect, each with the word that the log and the metric have for it."""

from flows.domain.failures import Refused


class OpenIdRefused(Refused):
    """An answer or token of the identity provider cannot be accepted; `reason` says why, without its values."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the sign-in was refused: {reason}")
        self.reason = reason


class UnknownSigningKey(OpenIdRefused):
    """A token is signed with a key that the provider's key set, as we know it, does not have."""

    def __init__(self) -> None:
        super().__init__("unknown_key")
