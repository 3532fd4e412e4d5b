"""Registrations for e-mail bills: which lines, and the phone each was registered from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import Change, Registration
from storage.sql.engine import Database
from storage.sql.schema import registrations

_FIELDS = ("by", "line", "subscription", "account")
_ADDING = upsert(registrations)
ADD = _ADDING.on_conflict_do_update(
    index_elements=list(registrations.primary_key.columns),
    set_={name: _ADDING.excluded[name] for name in ("subscription", "account")},
)
_HERE = select(*(registrations.c[name] for name in _FIELDS)).where(
    registrations.c.operator == bindparam("operator")
)
BY_PHONE = _HERE.where(registrations.c.by == bindparam("phone")).order_by(
    registrations.c.at, registrations.c.line
)
_OF = _HERE.where(registrations.c.subscription == bindparam("subscription"))
BY_SUBSCRIPTION = _OF.order_by(registrations.c.at.desc()).limit(1)


def register(connection: Connection, change: Change, made: Registration) -> None:
    """Save a registration; one row per phone and line."""
    row: dict[str, Any] = {
        "operator": change.operator,
        "by": made.by,
        "line": made.line,
        "subscription": made.subscription,
        "account": made.account,
        "at": change.at,
    }
    connection.execute(ADD, row)


class Registered:
    """The queries of the `Ledger` port on registrations."""

    _database: Database

    async def registrations(self, operator: str, by: str) -> Sequence[Registration]:
        """Return the lines registered for bills by e-mail from this phone, oldest first."""
        parameters = {"operator": operator, "phone": by}
        rows = await self._database.read(lambda connection: connection.execute(BY_PHONE, parameters).all())
        return [Registration(*row) for row in rows]

    async def registered(self, operator: str, subscription: str) -> Registration | None:
        """Return the latest registration of this subscription; None when there is none."""
        parameters = {"operator": operator, "subscription": subscription}
        row = await self._database.read(
            lambda connection: connection.execute(BY_SUBSCRIPTION, parameters).first()
        )
        return None if row is None else Registration(*row)
