"""Bulk insert into the outbox: many notices or deferred steps of one operator, each key once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select

from flows.domain.records import DeferredStep, OutboundMessage, Preference, Secret
from storage.crypto import AeadCipher
from storage.outbox.enqueue import (
    INSERT_ROW,
    KEY_PURPOSE,
    PRIORITY,
    deferred_step_row,
    message_payload,
    message_row,
)
from storage.outbox.erased_opt_outs import ErasedOptOuts
from storage.sql import bulk
from storage.sql.bulk import in_array, in_table
from storage.sql.copy_stage import StagedInsert
from storage.sql.engine import Database
from storage.sql.tables import opt_outs, outbox, preferences
from storage.sql.wakeup import notify_workers

ItemT = TypeVar("ItemT", OutboundMessage, DeferredStep)
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
INSERT_STAGED_ROWS = StagedInsert(
    """
    INSERT INTO outbox (key, operator, form, kind, priority, "to", route, language, step, payload, state,
        due_at, expires_at, is_unprompted, trace_parent, fence, attempt, provider, message_id, reason,
        created_at, changed_at)
    SELECT given.key, :operator, CAST(:form AS varchar), CAST(:kind AS varchar), CAST(:priority AS integer),
        given."to", given.route, given.language, given.step, given.payload, 'pending', given.due_at,
        given.expires_at, given.is_unprompted, given.trace_parent, 0, 0, '', '', '',
        CAST(:at AS timestamptz), CAST(:at AS timestamptz)
    FROM {rows}
    ON CONFLICT (key) DO NOTHING
    """,
    "outbox_stage",
    {
        "key": "varchar",
        "to": "varchar",
        "route": "varchar",
        "language": "varchar",
        "step": "varchar",
        "payload": "bytea",
        "due_at": "timestamptz",
        "expires_at": "timestamptz",
        "is_unprompted": "boolean",
        "trace_parent": "varchar",
    },
)
"""Inserts a page of rows of one kind by COPY; a key that is there already, or comes twice, is taken once."""


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
        opted_out, _ = self._find_opted_out(connection, operator, notices)
        keys = [notice.key for notice in notices]
        known = set(connection.execute(SELECT_KNOWN_KEYS, {"keys": keys}).scalars())
        return [notice for notice in notices if notice.key not in known and notice.to not in opted_out]

    def _find_opted_out(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage]
    ) -> tuple[set[str], bool]:
        """Return the recipients that opted out, and whether one of them was erased since."""
        recipients = self._erased_opt_outs.pair_with_hashes(operator, {notice.to for notice in notices})
        parameters = {"operator": operator, "numbers": [*recipients.values(), *recipients]}
        found = set(connection.execute(SELECT_OPTED_OUT, parameters).scalars())
        return {recipients.get(each, each) for each in found}, not found.isdisjoint(recipients)

    def _enqueue_wanted(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage], at: datetime
    ) -> int:
        opted_out, has_erased = self._find_opted_out(connection, operator, notices)
        if has_erased:
            self._erased_opt_outs.restore(connection, operator, notices, at)
        wanted = [notice for notice in notices if notice.to not in opted_out]
        return self._insert_notices(connection, operator, wanted, at) if wanted else 0

    def _insert_notices(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage], at: datetime
    ) -> int:
        if connection.dialect.name != "postgresql":
            return _insert_one_by_one(connection, (message_row(each, self._cipher, at) for each in notices))
        payloads = self._encrypt_payloads(notices, message_payload)
        rows = [
            (
                *(each.key, each.to, each.route, each.language, "", payload),
                *(each.due_at or at, each.expires_at, each.is_unprompted, each.trace_parent or None),
            )
            for each, payload in zip(notices, payloads, strict=True)
        ]
        return _insert_staged(connection, operator, ("notice", "notice"), rows, at)

    def _insert_steps(
        self, connection: Connection, operator: str, steps: Sequence[DeferredStep], at: datetime
    ) -> int:
        if connection.dialect.name != "postgresql":
            return _insert_one_by_one(connection, (deferred_step_row(each, self._cipher, at) for each in steps))
        payloads = self._encrypt_payloads(steps, lambda step: step.session)
        rows = [
            (each.key, "", "", "", each.step, payload, at, each.expires_at, False, each.trace_parent or None)
            for each, payload in zip(steps, payloads, strict=True)
        ]
        return _insert_staged(connection, operator, ("errand", "errand"), rows, at)

    def _encrypt_payloads(
        self, items: Sequence[ItemT], payload_of: Callable[[ItemT], bytes]
    ) -> Sequence[bytes]:
        """Encrypt the payloads of a page at once, each bound to its row's key."""
        return self._cipher.encrypt_each([payload_of(each) for each in items], [each.key for each in items])


def _insert_staged(
    connection: Connection,
    operator: str,
    form_and_kind: tuple[str, str],
    rows: Sequence[bulk.RowValues],
    at: datetime,
) -> int:
    """Insert rows of one form and kind (PostgreSQL); return how many are new."""
    form, kind = form_and_kind
    shared = {"operator": operator, "form": form, "kind": kind, "priority": PRIORITY[kind], "at": at}
    return INSERT_STAGED_ROWS.insert_rows(connection, rows, **shared)


def _insert_one_by_one(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows (SQLite) and return how many are new, which executemany does not tell."""
    return sum(connection.execute(INSERT_ROW, row).rowcount for row in rows)
