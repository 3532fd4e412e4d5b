"""Settings of the mapped billing backend: which of the operator's tables and columns hold what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.billing._mapped_tables import MappedTable


@dataclass(frozen=True, slots=True)
class TableMappingOptions:
    """The `bss` settings of an operator whose billing is `mapped`, or `mapped+postgresql://...` elsewhere.

    Each mapping has `table` (a table or view, `schema.table`) and for each of our columns its name there.
    """

    subscribers: Mapping[str, Any]
    bills: Mapping[str, Any]
    lines: Mapping[str, Any] = field(default_factory=dict)
    """Without it bills have no detail."""
    payments: Mapping[str, Any] = field(default_factory=dict)
    """Payments made; without it, as without the next four, subscribers are not offered to see them."""
    entries: Mapping[str, Any] = field(default_factory=dict)
    """Usage records and purchases: `what` is `usage` or `purchases`."""
    allowances: Mapping[str, Any] = field(default_factory=dict)
    """What each line has used of its allowances."""
    services: Mapping[str, Any] = field(default_factory=dict)
    """Plans and options subscribed to."""
    debits: Mapping[str, Any] = field(default_factory=dict)
    """Direct debit mandates in force, one for each account that has one."""
    electronic: str = "email"
    """Value of the `media` column that means e-mail."""
    currency: str = ""
    """What the `currency` column of the bills must say; empty means the operator's ISO 4217 code."""

    def activity_tables(self) -> dict[str, MappedTable]:
        """Return the tables of account activity that are mapped, by name."""
        names = ("payments", "entries", "allowances", "services", "debits")
        return {name: MappedTable(name, getattr(self, name)) for name in names if getattr(self, name)}
