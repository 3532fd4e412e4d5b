"""Settings of the merchants that charge purchases to the bills of an operator's lines."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from flows.domain.purchase_records import PurchaseCategory

MERCHANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
HOST_PATTERN = r"^([a-z0-9-]+\.)+[a-z][a-z0-9-]*(:[0-9]{1,5})?$"
"""A host name with at least one dot, in small letters: no address, so it is always resolved and checked."""
MerchantScope = Literal[
    "carrier-billing:payments:create",
    "carrier-billing:payments:read",
    "carrier-billing:payments:write",
    "carrier-billing-refund:refunds:create",
    "carrier-billing-refund:refunds:read",
]
"""What an access token may do, by the published descriptions."""
CREATE_SCOPE, READ_SCOPE, WRITE_SCOPE, REFUND_SCOPE, READ_REFUNDS_SCOPE = get_args(MerchantScope)


def _require_network(text: str) -> str:
    """Return the text of a network; ValueError for anything else."""
    ip_network(text)
    return text


class MerchantSettings(BaseModel):
    """One merchant: how it proves who it is, what it sells and what it may do."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_secret: SecretStr | None = Field(default=None, min_length=24)
    """Secret with which it gets access tokens (OAuth 2.0 client credentials), 24 characters or more."""
    old_client_secret: SecretStr | None = None
    """The client secret before, while it is being replaced; its tokens are good as long as it is."""
    token: SecretStr | None = Field(default=None, min_length=24)
    """Fixed bearer token, which does not expire, for merchants without OAuth; 24 characters or more."""
    old_token: SecretStr | None = None
    """The token before, while it is being replaced."""
    scopes: frozenset[MerchantScope] = frozenset(get_args(MerchantScope))
    """What it may do; all by default."""
    category: PurchaseCategory
    """What it sells; a merchant cannot choose the category, so that no block is passed."""
    sink_hosts: frozenset[Annotated[str, Field(pattern=HOST_PATTERN)]] = frozenset()
    """Hosts its notifications may be posted to, over TLS; with the port unless it is 443. None by default."""
    sink_networks: tuple[Annotated[str, AfterValidator(_require_network)], ...] = ()
    """Internal networks, such as `10.1.0.0/16`, those hosts may be in; otherwise they must be public."""
    requests_per_minute: int = Field(default=600, ge=1)
    """Rate limit of its requests."""

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Fixed tokens accepted now."""
        return tuple(each.get_secret_value().encode() for each in (self.token, self.old_token) if each)

    @property
    def client_secrets(self) -> tuple[bytes, ...]:
        """Client secrets accepted now, the newest first."""
        both = (self.client_secret, self.old_client_secret)
        return tuple(each.get_secret_value().encode() for each in both if each)

    @model_validator(mode="after")
    def _require_proof(self) -> Self:
        """Require a way to prove who calls."""
        if not self.token and not self.client_secret:
            raise ValueError("client_secret: set it, or a fixed token")
        return self


class PurchaseEventSettings(BaseModel):
    """The operator's own charging system, which reports its purchases by signed events."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret: SecretStr = Field(min_length=16)
    """Secret that signs the events."""
    old_secret: SecretStr | None = None
    """The secret before, while it is being replaced."""
    listed_by_billing: bool = True
    """Whether billing lists these purchases by itself before they are billed; so none is shown twice."""

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Secrets accepted now."""
        return tuple(each.get_secret_value().encode() for each in (self.secret, self.old_secret) if each)


class PurchaseSettings(BaseModel):
    """The table `purchases` of an operator: who charges purchases to its bills."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    merchants: Mapping[Annotated[str, Field(pattern=MERCHANT_PATTERN)], MerchantSettings] = Field(
        default_factory=dict
    )
    """Merchants by name: small letters, digits and `-`."""
    events: PurchaseEventSettings | None = None
    """Events of a charging system of the operator's own."""

    @model_validator(mode="after")
    def _require_source(self) -> Self:
        """Require somebody who charges."""
        if not self.merchants and self.events is None:
            raise ValueError("merchants: name at least one, or set events")
        return self
