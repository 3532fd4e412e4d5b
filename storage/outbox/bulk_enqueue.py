"""Bulk insert into the outbox: many notices of one operator, without recipients who opted out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from flows.domain.records import Notice, Preference, Secret
from storage.crypto import Seal
from storage.outbox.enqueue import ADD, PRIORITY, PURPOSE, row_of, sealed
from storage.sql import bulk
from storage.sql.bulk import among
from storage.sql.engine import Database
from storage.sql.schema import opt_outs, preferences
from storage.sql.wakeup import toll

WRITE_SECONDS = 30.0
_CHOICE = ("language", "notify", "email", "email_validated", "address")
CHOSEN = select(preferences.c.subscription, *(preferences.c[name] for name in _CHOICE)).where(
    preferences.c.operator == bindparam("operator"),
    among(preferences.c.subscription, "subscriptions"),
)
OUT = select(opt_outs.c.number).where(
    opt_outs.c.operator == bindparam("operator"),
    among(opt_outs.c.number, "numbers"),
)
ADD_ALL = bulk.unnested(
    f"""
    INSERT INTO outbox (key, operator, form, kind, priority, "to", route, language, step, payload, state,
        due_at, expires_at, fence, attempt, provider, message_id, reason, created_at, changed_at)
    SELECT given.key, :operator, 'notice', 'notice', {PRIORITY["notice"]}, given."to", given.route,
        given.language, '', given.payload, 'pending', given.due_at, given.expires_at, 0, 0, '', '', '',
        CAST(:at AS timestamptz), CAST(:at AS timestamptz)
    FROM {{rows}}
    ON CONFLICT (key) DO NOTHING
    """,  # noqa: S608 - its only value is our own constant
    key="varchar",
    to="varchar",
    route="varchar",
    language="varchar",
    payload="bytea",
    due_at="timestamptz",
    expires_at="timestamptz",
)
"""One statement for a page of notices, which saves PostgreSQL a response for each row."""


class SqlPosting:
    """Enqueues the notices of a bill run; `secret` encrypts the payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._seal = Seal(secret, PURPOSE)

    async def chosen(self, operator: str, subscriptions: Sequence[str]) -> Mapping[str, Preference]:
        """Return the preferences of these subscriptions by id; those without any are left out."""
        parameters = {"operator": operator, "subscriptions": list(subscriptions)}
        rows = await self._database.read(lambda connection: connection.execute(CHOSEN, parameters).all())
        return {row[0]: Preference(*row[1:]) for row in rows}

    async def post(self, operator: str, notices: Sequence[Notice], at: datetime) -> int:
        """Enqueue an operator's notices, each key only once ever; return how many are new.

        Notices to numbers and addresses that opted out are skipped. The workers of all processes are
        notified of new ones.
        """
        if not notices:
            return 0
        new_count = await self._database.write(
            lambda connection: self._post(connection, operator, notices, at), seconds=WRITE_SECONDS
        )
        if new_count:
            self._database.bell.ring()
        return new_count

    def _post(self, connection: Connection, operator: str, notices: Sequence[Notice], at: datetime) -> int:
        bulk.by_index(connection)
        parameters = {"operator": operator, "numbers": [notice.to for notice in notices]}
        opted_out = set(connection.execute(OUT, parameters).scalars())
        wanted = [notice for notice in notices if notice.to not in opted_out]
        new_count = self._added(connection, operator, wanted, at) if wanted else 0
        if new_count:
            toll(connection)
        return new_count

    def _added(self, connection: Connection, operator: str, wanted: Sequence[Notice], at: datetime) -> int:
        if connection.dialect.name == "postgresql":
            arrays = ADD_ALL.arrays([self._row(notice, at) for notice in wanted])
            return connection.execute(ADD_ALL.clause, {**arrays, "operator": operator, "at": at}).rowcount
        rows = [row_of(notice, self._seal, at) for notice in wanted]
        return sum(connection.execute(ADD, row).rowcount for row in rows)

    def _row(self, notice: Notice, at: datetime) -> bulk.Row:
        """Return the values of a notice that differ within a page, as `INSERT_NOTICE_BULK` takes them."""
        payload, due_at = sealed(notice, self._seal), notice.due_at or at
        return notice.key, notice.to, notice.route, notice.language, payload, due_at, notice.expires_at
