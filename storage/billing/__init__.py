"""Billing backends: each is one module of this folder, found by its file's name."""

from collections.abc import Callable
from datetime import date
from importlib import import_module
from pkgutil import iter_modules

from flows.ports import Billing
from storage.sql.engine import Database


def connect(where: str, database: Database, operator: str, today: Callable[[], date]) -> Billing:
    """The backend `where` names: `sql`, or a module's name and its address, `tmf678+https://...`.

    A module answers to `connect(address, database, operator, today)`; `today` is the date in the
    operator's time zone. ValueError names the backends there are.
    """
    name, _, address = where.partition("+")
    known = sorted(module.name for module in iter_modules(__path__))
    if name not in known:
        raise ValueError(f"no billing backend {name!r}; there are {', '.join(known)}")
    backend: Billing = import_module(f"{__name__}.{name}").connect(address, database, operator, today)
    return backend
