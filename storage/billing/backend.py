"""Billing backends: each is one module of this folder, found by its file's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, runtime_checkable

from flows.domain.ports import Billing, Cycles
from storage.sql.engine import Database


@dataclass(frozen=True, slots=True)
class Site:
    """Where a backend works: whose bills, on which calendar, with which settings."""

    operator: str
    database: Database = field(repr=False)
    """The project's own."""
    today: Callable[[], date]
    """The date in the operator's time zone."""
    zone: tzinfo = UTC
    """The operator's time zone: a bill's instants become days there."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The table `bss` of the operator's settings."""


@runtime_checkable
class Remote(Billing, Cycles, Protocol):
    """A backend that holds connections and lists whole cycles."""

    async def close(self) -> None:
        """Give them back."""


@runtime_checkable
class Fresh(Protocol):
    """A backend that keeps answers for a while."""

    def forget(self, account: str) -> None:
        """Something about the account's bills changed: ask again."""


@runtime_checkable
class Announcing(Protocol):
    """A backend whose BSS tells us of bills by itself."""

    async def listen(self, callback: str) -> None:
        """Ask it to; it will post to addresses that begin with `callback`. NotEligible when it cannot."""


def connect(where: str, site: Site) -> Billing:
    """The backend `where` names: `sql`, or a module's name and its address, `tmf678+https://...`.

    A module answers to `connect(address, site)`; one that holds connections has an async `close()`.
    ValueError names the backends there are, or the setting that is wrong, never its value.
    """
    name, _, address = where.partition("+")
    known = _backend_names()
    if name not in known:
        raise ValueError(f"no billing backend {name!r}; there are {', '.join(known)}")
    backend: Billing = import_module(f"{__package__}.{name}").connect(address, site)
    return backend


def _backend_names() -> list[str]:
    """Return the modules of this folder that are backends: all but private ones and this one."""
    names = [module.name for module in iter_modules([str(Path(__file__).parent)])]
    return sorted(name for name in names if not name.startswith("_") and name != Path(__file__).stem)
