"""Lines registered for bills by e-mail, by the phone they were registered from."""

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
    """Keep a registration, once per phone and line."""
    row: dict[str, Any] = {name: getattr(made, name) for name in _FIELDS}
    connection.execute(ADD, {"operator": change.operator, "at": change.at, **row})


class Registered:
    """The part of the `Ledger` port that answers what is registered."""

    _database: Database

    async def registrations(self, operator: str, by: str) -> Sequence[Registration]:
        """The lines registered for bills by e-mail from this phone, oldest first."""
        given = {"operator": operator, "phone": by}
        rows = await self._database.read(lambda connection: connection.execute(BY_PHONE, given).all())
        return [Registration(*row) for row in rows]

    async def registered(self, operator: str, subscription: str) -> Registration | None:
        """How this subscription was registered; None when it was not."""
        given = {"operator": operator, "subscription": subscription}
        row = await self._database.read(lambda connection: connection.execute(BY_SUBSCRIPTION, given).first())
        return None if row is None else Registration(*row)
