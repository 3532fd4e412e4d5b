"""What an adapter of a payment provider is given besides its settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """The operator, its currency's decimals, where callbacks go, and the clock."""

    operator: str
    decimals: int
    """Minor-unit digits of the currency (ISO 4217)."""
    notify_url: str
    """Our URL for the provider's callbacks."""
    now: Callable[[], datetime] = field(repr=False)
