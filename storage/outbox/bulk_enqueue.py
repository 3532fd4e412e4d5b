"""Bulk insert into the outbox: many notices or deferred steps of one operator, each key once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from flows.domain.records import DeferredStep, OutboundMessage, Preference, Secret
from storage.crypto import AeadCipher
from storage.outbox.enqueue import (
    INSERT_ROW,
    KEY_PURPOSE,
    PRIORITY,
    deferred_step_row,
    encrypt_message,
    message_row,
)
from storage.outbox.erased_opt_outs import ErasedOptOuts
from storage.sql import bulk
from storage.sql.bulk import in_array, in_table
from storage.sql.engine import Database
from storage.sql.tables import opt_outs, outbox, preferences
from storage.sql.wakeup import notify_workers

WRITE_TIMEOUT_SECONDS = 30.0
_PREFERENCE_COLUMNS = (
    "language",
    "notify",
    "email",
    "email_validated",
    "address",
    "email_state",
    "notify_number",
)
SELECT_PREFERENCES = select(
    preferences.c.subscription, *(preferences.c[name] for name in _PREFERENCE_COLUMNS)
).where(
    preferences.c.operator == bindparam("operator"),
    in_table(preferences.c.subscription, "subscriptions"),
)
SELECT_OPTED_OUT = select(opt_outs.c.number).where(
    opt_outs.c.operator == bindparam("operator"),
    in_array(opt_outs.c.number, "numbers"),
)
SELECT_KNOWN_KEYS = select(outbox.c.key).where(in_array(outbox.c.key, "keys"))
INSERT_ROWS_BULK = bulk.build_statement(
    """
    INSERT INTO outbox (key, operator, form, kind, priority, "to", route, language, step, payload, state,
        due_at, expires_at, is_unprompted, fence, attempt, provider, message_id, reason, created_at, changed_at)
    SELECT given.key, :operator, CAST(:form AS varchar), CAST(:kind AS varchar), CAST(:priority AS integer),
        given."to", given.route, given.language, given.step, given.payload, 'pending', given.due_at,
        given.expires_at, given.is_unprompted, 0, 0, '', '', '',
        CAST(:at AS timestamptz), CAST(:at AS timestamptz)
    FROM {rows}
    ON CONFLICT (key) DO NOTHING
    """,
    key="varchar",
    to="varchar",
    route="varchar",
    language="varchar",
    step="varchar",
    payload="bytea",
    due_at="timestamptz",
    expires_at="timestamptz",
    is_unprompted="boolean",
)
"""One statement for a page of rows of one kind, which saves PostgreSQL a response for each row."""


class SqlBulkOutbox:
    """Enqueues the notices of a bill run and the steps of a reminder run; `secret` encrypts the payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._cipher, self._erased_opt_outs = AeadCipher(secret, KEY_PURPOSE), ErasedOptOuts(secret)

    async def load_preferences(self, operator: str, subscriptions: Sequence[str]) -> Mapping[str, Preference]:
        """Return the preferences of these subscriptions by id; those without any are left out."""
        parameters = {"operator": operator, "subscriptions": list(subscriptions)}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_PREFERENCES, parameters).all()
        )
        return {row[0]: Preference(*row[1:]) for row in rows}

    async def enqueue_notices(self, operator: str, notices: Sequence[OutboundMessage], at: datetime) -> int:
        """Enqueue an operator's notices, each key only once ever; return how many are new.

        Notices to numbers and addresses that opted out are skipped. The workers of all processes are
        notified of new ones.
        """
        if not notices:
            return 0
        return await self._write_and_wake(
            lambda connection: self._enqueue_wanted(connection, operator, notices, at)
        )

    async def enqueue_steps(self, operator: str, steps: Sequence[DeferredStep], at: datetime) -> int:
        """Enqueue an operator's deferred steps, each key only once ever; return how many are new.

        Whether anything is sent is decided when a step runs. The workers of all processes are notified.
        """
        if not steps:
            return 0
        return await self._write_and_wake(
            lambda connection: self._insert_steps(connection, operator, steps, at)
        )

    async def _write_and_wake(self, insert: Callable[[Connection], int]) -> int:
        """Insert in one transaction and wake the workers where something is new; return how many are."""

        def job(connection: Connection) -> int:
            bulk.force_index_scans(connection)
            new_count = insert(connection)
            if new_count:
                notify_workers(connection)
            return new_count

        new_count = await self._database.write(job, seconds=WRITE_TIMEOUT_SECONDS)
        if new_count:
            self._database.wakeup.wake_waiters()
        return new_count

    async def find_new(self, operator: str, notices: Sequence[OutboundMessage]) -> list[OutboundMessage]:
        """Return the notices that `enqueue_notices` would add now; nothing is written."""
        return await self._database.read(
            lambda connection: self._find_new(connection, operator, notices), seconds=WRITE_TIMEOUT_SECONDS
        )

    def _find_new(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage]
    ) -> list[OutboundMessage]:
        hashes = {notice.to: self._erased_opt_outs.hash_recipient(operator, notice.to) for notice in notices}
        parameters = {"operator": operator, "numbers": [*hashes, *hashes.values()]}
        opted_out = set(connection.execute(SELECT_OPTED_OUT, parameters).scalars())
        keys = [notice.key for notice in notices]
        known = set(connection.execute(SELECT_KNOWN_KEYS, {"keys": keys}).scalars())
        return [
            notice
            for notice in notices
            if notice.key not in known and opted_out.isdisjoint((notice.to, hashes[notice.to]))
        ]

    def _enqueue_wanted(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage], at: datetime
    ) -> int:
        self._erased_opt_outs.restore(connection, operator, notices, at)
        parameters = {"operator": operator, "numbers": [notice.to for notice in notices]}
        opted_out = set(connection.execute(SELECT_OPTED_OUT, parameters).scalars())
        wanted = [notice for notice in notices if notice.to not in opted_out]
        return self._insert_notices(connection, operator, wanted, at) if wanted else 0

    def _insert_notices(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage], at: datetime
    ) -> int:
        if connection.dialect.name == "postgresql":
            given = [self._notice_values(notice, at) for notice in notices]
            return _insert_arrays(connection, operator, ("notice", "notice"), given, at)
        return _insert_one_by_one(connection, (message_row(each, self._cipher, at) for each in notices))

    def _insert_steps(
        self, connection: Connection, operator: str, steps: Sequence[DeferredStep], at: datetime
    ) -> int:
        if connection.dialect.name == "postgresql":
            given = [self._step_values(step, at) for step in steps]
            return _insert_arrays(connection, operator, ("errand", "errand"), given, at)
        return _insert_one_by_one(connection, (deferred_step_row(each, self._cipher, at) for each in steps))

    def _notice_values(self, notice: OutboundMessage, at: datetime) -> bulk.RowValues:
        """Return the values of a notice that differ within a page, as `INSERT_ROWS_BULK` takes them."""
        payload, due_at = encrypt_message(notice, self._cipher), notice.due_at or at
        common = (notice.key, notice.to, notice.route, notice.language, "")
        return *common, payload, due_at, notice.expires_at, notice.is_unprompted

    def _step_values(self, step: DeferredStep, at: datetime) -> bulk.RowValues:
        """Return the values of a deferred step that differ within a page."""
        payload = self._cipher.encrypt(step.session, step.key)
        return step.key, "", "", "", step.step, payload, at, step.expires_at, False


def _insert_arrays(
    connection: Connection,
    operator: str,
    form_and_kind: tuple[str, str],
    given: Sequence[bulk.RowValues],
    at: datetime,
) -> int:
    """Insert rows of one form and kind with one statement (PostgreSQL); return how many are new."""
    form, kind = form_and_kind
    shared = {"operator": operator, "form": form, "kind": kind, "priority": PRIORITY[kind], "at": at}
    return connection.execute(INSERT_ROWS_BULK.clause, INSERT_ROWS_BULK.to_arrays(given) | shared).rowcount


def _insert_one_by_one(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows (SQLite) and return how many are new, which executemany does not tell."""
    return sum(connection.execute(INSERT_ROW, row).rowcount for row in rows)
