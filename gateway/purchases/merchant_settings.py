"""Settings of the merchants that charge purchases to the bills of an operator's lines."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

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


class PurchaseSettings(BaseModel):
    """The table `purchases` of an operator: merchants charge purchases once it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    merchants: Mapping[Annotated[str, Field(pattern=MERCHANT_PATTERN)], MerchantSettings] = Field(min_length=1)
    """Merchants by name: small letters, digits and `-`."""
