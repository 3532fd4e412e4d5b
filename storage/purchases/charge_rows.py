"""Rows of charges: written and read back, the phone number encrypted with the charge's id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select

from flows.domain.purchase_records import Charge
from storage.crypto import AeadCipher

_SAME_COLUMNS = (
    *("id", "operator", "subscription", "account", "merchant", "correlator", "reference", "category"),
    *("label", "amount", "currency", "state", "period", "created_at", "changed_at", "reserved_until"),
    *("reason", "refunded", "is_billed"),
)
"""The columns that are named as the charge's fields."""


@dataclass(frozen=True, slots=True)
class ChargeRows:
    """Converts charges to rows and back."""

    cipher: AeadCipher = field(repr=False)

    def row_of(self, charge: Charge) -> dict[str, Any]:
        """Return a charge as a row."""
        same = {name: getattr(charge, name) for name in _SAME_COLUMNS}
        return {**same, "line": self.cipher.encrypt(charge.line.encode(), charge.id)}

    def fetch(self, connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Charge]:
        """Return the charges a query finds."""
        return [self._charge_of(row) for row in connection.execute(query, values)]

    def _charge_of(self, row: Any) -> Charge:
        """Build from a row; the number is empty once it was erased."""
        line = self.cipher.decrypt(row.line, row.id).decode() if row.line else ""
        return Charge(**{name: getattr(row, name) for name in _SAME_COLUMNS}, line=line)
