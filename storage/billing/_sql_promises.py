"""Promises to pay in our own billing tables: each once, one open for an account."""

from collections.abc import Callable
from datetime import date

from sqlalchemy import Connection, bindparam, insert, select

from flows.domain.promise_records import PaymentPromise, PromiseAnswer
from storage.sql.engine import Database
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_promises as promises

SELECT_KEY = select(promises.c.key).where(
    promises.c.operator == bindparam("operator"), promises.c.key == bindparam("key")
)
SELECT_OPEN = select(promises.c.key).where(
    promises.c.operator == bindparam("operator"),
    promises.c.account == bindparam("account"),
    promises.c.last_day >= bindparam("today"),
)
LOCK_BILLS = (
    select(bills.c.id)
    .where(bills.c.operator == bindparam("operator"), bills.c.account == bindparam("account"))
    .order_by(bills.c.id)
    .with_for_update()
)
"""Held to the end of the transaction, so that two promises of an account wait for each other."""
INSERT_PROMISE = insert(promises)


class SqlPromises:
    """The `PromiseBilling` part of the SQL backend."""

    _database: Database
    _operator: str
    _today: Callable[[], date]

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Write a promise, once per id; `one` while another of the account is open."""
        return await self._database.write(lambda connection: self._record(connection, promise))

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether the promise's row is still there."""
        row = {"operator": self._operator, "key": promise.id}
        found = await self._database.read(lambda connection: connection.execute(SELECT_KEY, row).first())
        return found is not None

    def _record(self, connection: Connection, promise: PaymentPromise) -> PromiseAnswer:
        row = {"operator": self._operator, "key": promise.id, "account": promise.account}
        connection.execute(LOCK_BILLS, row).all()
        if connection.execute(SELECT_KEY, row).first() is not None:
            return "ok"
        if connection.execute(SELECT_OPEN, {**row, "today": self._today()}).first() is not None:
            return "one"
        days = {"first_day": promise.first_day, "last_day": promise.last_day}
        values = {"bill": promise.bill_id, "amount": promise.amount, "parts": promise.parts, **days}
        connection.execute(INSERT_PROMISE, {**row, **values})
        return "ok"
