"""Billing backend interface and loader: a backend is one module of this package, found by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, runtime_checkable

from flows.domain.ports import Billing, BillingCycles
from storage.sql.engine import Database


@dataclass(frozen=True, slots=True)
class BackendContext:
    """What a backend is given: the operator, our database, the operator's calendar and its settings."""

    operator: str
    database: Database = field(repr=False)
    """Our own database."""
    today: Callable[[], date]
    """Returns the date in the operator's time zone."""
    zone: tzinfo = UTC
    """The operator's time zone, in which the instants of a bill become dates."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The `bss` table of the operator's settings."""
    currency: str = ""
    """ISO 4217 code of the operator's currency; amounts in another are refused. Empty when not known."""


@runtime_checkable
class RemoteBilling(Billing, BillingCycles, Protocol):
    """A backend that holds connections and can list whole billing cycles."""

    async def close(self) -> None:
        """Close the connections."""


@runtime_checkable
class CacheInvalidation(Protocol):
    """A backend with a cache whose answers for an account can be invalidated."""

    def invalidate_account(self, account: str) -> None:
        """Drop the cached answers of an account, because its bills changed."""


@runtime_checkable
class BillEventSource(Protocol):
    """A backend whose BSS sends events about new and changed bills."""

    async def register_callback(self, callback: str) -> None:
        """Subscribe to bill events; the BSS will post to addresses that begin with `callback`.

        Raises NotEligible when this BSS sends no events.
        """


def connect_backend(location: str, context: BackendContext) -> Billing:
    """Return the backend at a location: `sql`, or a module's name and an address, `tmf678+https://...`.

    A backend module defines `connect(address, context)`; one that holds connections has an async `close()`.
    Raises ValueError that names the backends there are, or the setting that is wrong, never its value.
    """
    name, _, address = location.partition("+")
    available = _backend_names()
    if name not in available:
        raise ValueError(f"no billing backend {name!r}; there are {', '.join(available)}")
    backend: Billing = import_module(f"{__package__}.{name}").connect(address, context)
    return backend


def _backend_names() -> list[str]:
    """Return the names of the backend modules: all of this package but private ones and this one."""
    names = [module.name for module in iter_modules([str(Path(__file__).parent)])]
    return sorted(name for name in names if not name.startswith("_") and name != Path(__file__).stem)
