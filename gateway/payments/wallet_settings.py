"""Settings of an operator's wallet: mobile money that payers approve on their phones."""

from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

WalletName = Literal["mtn_momo", "orange_money"]
WALLET_NAMES: tuple[WalletName, ...] = get_args(WalletName)
REQUIRED_FIELDS: dict[str, tuple[str, ...]] = {
    "mtn_momo": ("subscription_key", "target_environment"),
    "orange_money": ("account", "pin", "merchant_token", "country_code"),
}
"""Fields that one provider needs and the others do not."""
SANDBOX = "sandbox"


class WalletSettings(BaseModel):
    """The table `wallet` of an operator: bills can be paid from a wallet once it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    provider: WalletName
    """Name of the wallet: `mtn_momo` (Collections interface) or `orange_money` (merchant payment)."""
    api_url: str = Field(pattern=r"^https?://[^/\s?#]+[^\s?#]*$")
    """Address of its interface; it differs by country."""
    api_user: str = Field(min_length=1, max_length=100)
    """User (MTN) or consumer key (Orange) that gets access tokens."""
    api_key: SecretStr = Field(min_length=8)
    """Its key or consumer secret."""
    subscription_key: SecretStr | None = Field(default=None, min_length=8)
    """MTN: key of your subscription to Collections."""
    refund_subscription_key: SecretStr | None = Field(default=None, min_length=8)
    """MTN: key of your subscription to Disbursements; without it nothing can be given back."""
    target_environment: str = Field(default="", pattern=r"^[A-Za-z]*$")
    """MTN: `sandbox`, or the name of your country's environment, e.g. `mtncameroon`."""
    account: str = Field(default="", pattern=r"^\d*$", max_length=15)
    """Orange: number of your merchant's channel user."""
    pin: SecretStr | None = Field(default=None, min_length=4, max_length=8)
    """Orange: PIN of the channel user."""
    merchant_token: SecretStr | None = Field(default=None, min_length=8)
    """Orange: value of the header `X-AUTH-TOKEN`."""
    country_code: str = Field(default="", pattern=r"^[1-9]?\d{0,3}$")
    """Orange: country code in front of national numbers, without the plus sign."""
    test_mode: bool = False
    """Whether payments of the sandbox count; leave it off where real bills are paid."""

    @model_validator(mode="after")
    def _require_fields(self) -> Self:
        """Require what each provider needs; the error names the field."""
        for name in REQUIRED_FIELDS[self.provider]:
            if not getattr(self, name):
                raise ValueError(f"{name}: missing; {self.provider} needs it")
        return self

    @property
    def base_url(self) -> str:
        """Address of the interface, without a trailing slash."""
        return self.api_url.rstrip("/")

    @property
    def is_refused_test(self) -> bool:
        """Whether its payments move no real money and must not count."""
        return self.target_environment == SANDBOX and not self.test_mode
