"""Settings of the merchants that charge purchases to the bills of an operator's lines."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from flows.domain.purchase_records import PurchaseCategory

MERCHANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"


class MerchantSettings(BaseModel):
    """One merchant: the bearer token it calls with, and what it sells."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr = Field(min_length=24)
    """Bearer token of its requests, 24 characters or more."""
    old_token: SecretStr | None = None
    """The token before, while it is being replaced."""
    category: PurchaseCategory
    """What it sells; a merchant cannot choose the category, so that no block is passed."""
    requests_per_minute: int = Field(default=600, ge=1)
    """Rate limit of its requests."""

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Tokens accepted now."""
        return tuple(each.get_secret_value().encode() for each in (self.token, self.old_token) if each)


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
