"""Registrations for e-mail bills: which lines, and the phone each was registered from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.email_registration import EmailUse, Registration
from flows.domain.records import ChangeSet
from storage.sql.engine import Database
from storage.sql.tables import preferences, registrations

_COLUMNS = ("by", "line", "subscription", "account")
_INSERT_REGISTRATION = upsert(registrations)
UPSERT_REGISTRATION = _INSERT_REGISTRATION.on_conflict_do_update(
    index_elements=list(registrations.primary_key.columns),
    set_={name: _INSERT_REGISTRATION.excluded[name] for name in ("subscription", "account", "at")},
)
_SELECT_OF_OPERATOR = select(*(registrations.c[name] for name in _COLUMNS)).where(
    registrations.c.operator == bindparam("operator")
)
SELECT_BY_PHONE = _SELECT_OF_OPERATOR.where(registrations.c.by == bindparam("phone")).order_by(
    registrations.c.at, registrations.c.line
)
_SELECT_OF_SUBSCRIPTION = _SELECT_OF_OPERATOR.where(registrations.c.subscription == bindparam("subscription"))
SELECT_BY_SUBSCRIPTION = _SELECT_OF_SUBSCRIPTION.order_by(registrations.c.at.desc()).limit(1)

SELECT_EMAIL_USES = (
    select(
        *(preferences.c[name] for name in ("subscription", "language", "email_state")),
        registrations.c.by,
        registrations.c.line,
    )
    .outerjoin(
        registrations,
        (registrations.c.operator == preferences.c.operator)
        & (registrations.c.subscription == preferences.c.subscription),
    )
    .where(preferences.c.operator == bindparam("operator"), preferences.c.email == bindparam("email"))
    .order_by(preferences.c.subscription, registrations.c.at.desc())
)
"""Each subscription with an address, once for each phone its line was registered from, the latest first."""


def save_registration(connection: Connection, change: ChangeSet, registration: Registration) -> None:
    """Save a registration; one row per phone and line."""
    row: dict[str, Any] = {
        "operator": change.operator,
        "by": registration.by,
        "line": registration.line,
        "subscription": registration.subscription,
        "account": registration.account,
        "at": change.changed_at,
    }
    connection.execute(UPSERT_REGISTRATION, row)


class RegistrationQueries:
    """The queries of the `Ledger` port on registrations."""

    _database: Database

    async def list_registrations(self, operator: str, by: str) -> Sequence[Registration]:
        """Return the lines registered for bills by e-mail from this phone, the one proven last at the end."""
        parameters = {"operator": operator, "phone": by}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_PHONE, parameters).all()
        )
        return [Registration(*row) for row in rows]

    async def list_email_uses(self, operator: str, address: str) -> Sequence[EmailUse]:
        """Return the subscriptions that chose this address, each with its latest registration, if any."""
        parameters = {"operator": operator, "email": address}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_EMAIL_USES, parameters).all()
        )
        first_rows = {row.subscription: row for row in reversed(rows)}
        return [
            EmailUse(row.subscription, row.language, row.email_state, row.by or "", row.line or "")
            for row in first_rows.values()
        ]

    async def find_registration(self, operator: str, subscription: str) -> Registration | None:
        """Return the latest registration of this subscription; None when there is none."""
        parameters = {"operator": operator, "subscription": subscription}
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_SUBSCRIPTION, parameters).first()
        )
        return None if row is None else Registration(*row)
