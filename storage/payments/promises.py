"""Promises to pay in SQL: written with the change that makes them, read to decide about reminders."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.promise_records import PaymentPromise
from storage.sql.engine import Database
from storage.sql.tables import payment_promises

_ROW = payment_promises.c
INSERT_PROMISE = upsert(payment_promises).on_conflict_do_nothing()
SELECT_PROMISES = (
    select(payment_promises)
    .where(
        _ROW.operator == bindparam("operator"),
        _ROW.account == bindparam("account"),
        _ROW.promised_at >= bindparam("since", type_=_ROW.promised_at.type),
    )
    .order_by(_ROW.promised_at.desc(), _ROW.id)
)
SELECT_PLANS = (
    select(payment_promises)
    .where(
        _ROW.operator == bindparam("operator"),
        _ROW.parts > 1,
        _ROW.last_day >= bindparam("last_day", type_=_ROW.last_day.type),
        _ROW.id > bindparam("after"),
    )
    .order_by(_ROW.id)
    .limit(bindparam("most", type_=Integer))
)
"""Read along the primary key, so that a day's run reads the table once."""
SAME_COLUMNS = (
    *("id", "operator", "subscription", "account", "amount", "parts", "first_day", "last_day", "promised_at"),
)
"""The columns that are named as the promise's fields."""


def insert_promise(connection: Connection, promise: PaymentPromise) -> None:
    """Write a promise, once per id."""
    same = {name: getattr(promise, name) for name in SAME_COLUMNS}
    connection.execute(INSERT_PROMISE, {**same, "bill": promise.bill_id})


class SqlPaymentPromises:
    """Implements the `PaymentPromises` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_promises(self, operator: str, account: str, since: datetime) -> Sequence[PaymentPromise]:
        """Return an account's promises made since then, newest first."""
        return await self._fetch_promises(SELECT_PROMISES, operator=operator, account=account, since=since)

    async def list_plans(
        self, operator: str, last_day: date, after: str, limit: int
    ) -> Sequence[PaymentPromise]:
        """Return promises in parts that end on `last_day` or later, by id, those behind the id `after`."""
        return await self._fetch_promises(
            SELECT_PLANS, operator=operator, last_day=last_day, after=after, most=limit
        )

    async def _fetch_promises(self, query: Select[Any], **values: Any) -> list[PaymentPromise]:
        rows = await self._database.read(lambda connection: connection.execute(query, values).all())
        return list(map(_to_promise, rows))


def _to_promise(row: Any) -> PaymentPromise:
    return PaymentPromise(**{name: getattr(row, name) for name in SAME_COLUMNS}, bill_id=row.bill)
