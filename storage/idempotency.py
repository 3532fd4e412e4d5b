"""Idempotency keys: which changes were made, with the outcome and reply of each."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from storage.sql.tables import changes

INSERT_KEY = insert(changes).on_conflict_do_nothing(index_elements=[changes.c.key]).returning(changes.c.key)
SELECT_OUTCOME = select(changes.c.outcome).where(changes.c.key == bindparam("key"))
SELECT_REPLY = select(changes.c.reply).where(changes.c.key == bindparam("key"))


def reserve_key(
    connection: Connection, key: str, outcome: str, reply: bytes | None, at: datetime
) -> str | None:
    """Reserve an idempotency key; return None when it is new, else the outcome stored with it.

    Waits for a concurrent transaction that reserves the same key.
    """
    row = {"key": key, "outcome": outcome, "reply": reply, "at": at}
    if connection.execute(INSERT_KEY, row).first() is not None:
        return None
    return str(connection.execute(SELECT_OUTCOME, {"key": key}).scalar_one())
