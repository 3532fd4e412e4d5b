"""Settings of an operator's payment provider."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from gateway.payments.described_providers import DESCRIBED_PROVIDERS

PAGE_ORIGINS = {
    "stripe": "https://checkout.stripe.com",
    "netopia": "https://secure.netopia-payments.com",
    **{name: form.page_origin for name, form in DESCRIBED_PROVIDERS.items()},
}
"""Origin of each provider's pages, where it is not that of its interface."""
ProviderName = Literal["payfake", "stripe", "payzen", "clictopay", "netopia"]
DEFAULT_API_URLS: dict[str, str] = {
    "stripe": "https://api.stripe.com",
    "netopia": "https://secure.mobilpay.ro/pay",
    **{name: form.api_url for name, form in DESCRIBED_PROVIDERS.items()},
}
"""Address of each provider's interface, where it is the same for everybody."""


class PaymentSettings(BaseModel):
    """The table `payments` of an operator: bills can be paid by link once it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    provider: ProviderName
    """Name of the payment provider."""
    api_url: str = Field(default="", pattern=r"^(https?://[^/\s?#]+[^\s?#]*)?$")
    """Address of its interface; empty for the provider's own."""
    api_key: SecretStr = Field(min_length=8)
    """Key of your account at the provider."""
    account: str = Field(default="", max_length=100)
    """Number or user name of your account, where the key alone does not name it."""
    webhook_secret: SecretStr | None = Field(default=None, min_length=16)
    """Secret that the provider signs its callbacks with, where that is not the key itself."""
    old_webhook_secret: SecretStr | None = None
    """The secret before, while it is being replaced."""
    test_mode: bool = False
    """Whether test payments count; leave it off where real bills are paid."""
    page_origin: str = Field(default="", pattern=r"^(https?://[^/\s?#;]+)?$")
    """Origin of its pages, `https://host`; empty for the provider's own."""
    page_minutes: int = Field(default=60, ge=40, le=1_380)
    """How long the provider's page stays open."""

    @model_validator(mode="after")
    def _require_fields(self) -> Self:
        """Require what each kind of provider needs; the error names the field."""
        if self.provider in (*DESCRIBED_PROVIDERS, "netopia") and not self.account:
            raise ValueError("account: must name your account at this provider")
        if self.provider not in DESCRIBED_PROVIDERS and self.webhook_secret is None:
            raise ValueError("webhook_secret: missing; callbacks of this provider are signed with it")
        return self

    @property
    def base_url(self) -> str:
        """Address of the provider's interface, without a trailing slash."""
        return (self.api_url or DEFAULT_API_URLS.get(self.provider, "")).rstrip("/")

    @property
    def pages(self) -> str:
        """Origin of the pages payers are sent to."""
        parts = urlsplit(self.base_url)
        return self.page_origin or PAGE_ORIGINS.get(self.provider) or f"{parts.scheme}://{parts.netloc}"

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """Secrets accepted now, the current one first."""
        secrets = filter(None, (self.webhook_secret, self.old_webhook_secret))
        return tuple(each.get_secret_value().encode() for each in secrets)
