"""Rows of charges: written and read back, the phone number encrypted with the charge's id."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select

from flows.domain.purchase_records import Charge, NotificationSink
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
        line = self.cipher.encrypt(charge.line.encode(), charge.id)
        return {**same, "line": line, "sink": self._seal_sink(charge)}

    def fetch(self, connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Charge]:
        """Return the charges a query finds."""
        return [self._charge_of(row) for row in connection.execute(query, values)]

    def _charge_of(self, row: Any) -> Charge:
        """Build from a row; the number is empty once it was erased."""
        line = self.cipher.decrypt(row.line, row.id).decode() if row.line else ""
        return Charge(
            **{name: getattr(row, name) for name in _SAME_COLUMNS}, line=line, sink=self._open_sink(row)
        )

    def _seal_sink(self, charge: Charge) -> bytes | None:
        sink = charge.sink
        if sink is None:
            return None
        expires = sink.token_expires_at.isoformat() if sink.token_expires_at else ""
        text = json.dumps([sink.url, sink.token, expires])
        return self.cipher.encrypt(text.encode(), f"{charge.id}/sink")

    def _open_sink(self, row: Any) -> NotificationSink | None:
        if row.sink is None:
            return None
        url, token, expires = json.loads(self.cipher.decrypt(row.sink, f"{row.id}/sink"))
        return NotificationSink(url, token, datetime.fromisoformat(expires) if expires else None)
