"""Settings of the support console: its listener, how staff sign in and how long they stay signed in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

ConsoleRole = Literal["support", "menus", "operations", "auditor"]
CONSOLE_ROLES: tuple[ConsoleRole, ...] = get_args(ConsoleRole)


class ConsoleSection(BaseModel):
    """Base of the console's settings: frozen, unknown fields are errors, input values stay out of messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GroupRights(ConsoleSection):
    """What the members of one group of the identity provider may do."""

    roles: tuple[ConsoleRole, ...] = Field(min_length=1)
    """Their roles: `support`, `menus`, `operations`, `auditor`."""
    operators: tuple[str, ...] = Field(min_length=1)
    """The operators whose people and messages they may see."""


class OpenIdSettings(ConsoleSection):
    """Sign-in by OpenID Connect; the client's return address is `public_url` and `/console/openid/callback`."""

    issuer: str = Field(pattern=r"^https?://[^\s?#]+$")
    """URL of the identity provider, exactly as its discovery document says; https outside the demo."""
    client_id: str = Field(min_length=1)
    """Id the provider gave the console."""
    client_secret: SecretStr = SecretStr("")
    """Secret the provider gave the console; empty for a public client, which PKCE alone protects."""
    scope: str = Field("openid profile", pattern=r"^(\S+ )*openid( \S+)*$")
    """Scopes asked for, with spaces between them; some providers want one more for the groups."""
    name_claim: str = "preferred_username"
    """Claim of the ID token with the user's name."""
    groups_claim: str = "groups"
    """Claim of the ID token with the user's groups; dots lead into objects: `realm_access.roles`."""
    groups: Mapping[str, GroupRights] = Field(min_length=1)
    """Rights by group; who is in none of these groups may not sign in."""


class ConsoleSettings(ConsoleSection):
    """The table `console`: `dialtree console serve` serves the console once it is there."""

    public_url: str = Field(pattern=r"^https?://[^/\s]+$")
    """URL by which staff reach it; https outside the demo, except on this machine."""
    users_file: str = ""
    """Users with passwords, which `dialtree console user` writes; only the gateway's user may read it."""
    openid: OpenIdSettings | None = None
    """The identity provider that signs staff in, beside the file of users or instead."""
    host: str = "127.0.0.1"
    """Address its listener binds."""
    port: int = Field(8081, ge=0, le=65535)
    """Port of its listener."""
    internal_port: int | None = Field(None, ge=0, le=65535)
    """Port of its /healthz, /readyz and /metrics; by default 1310 above `port` of the gateway."""
    idle_minutes: int = Field(15, ge=1, le=240)
    """After so long without a request a user is signed out."""
    session_hours: int = Field(8, ge=1, le=24)
    """After so long a user is signed out in any case."""

    @field_validator("users_file")
    @classmethod
    def _check_folder(cls, users_file: str) -> str:
        if users_file and not Path(users_file).absolute().parent.is_dir():
            raise ValueError("its folder does not exist")
        return users_file

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        """Demand a way to sign in."""
        if not self.users_file and self.openid is None:
            raise ValueError("needs users_file or the table openid, or nobody could sign in")
        return self
