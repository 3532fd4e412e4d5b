"""Account activity in our own tables: payments, charges not billed yet, allowances, services."""

from collections.abc import Callable, Sequence
from datetime import date, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select

from flows.domain.account_activity import (
    Allowance,
    BookedPayment,
    DirectDebit,
    SubscribedService,
    is_allowance_kind,
    payment_method,
)
from flows.domain.records import BillLine
from storage.billing._client.currency import CurrencyRule, round_amount
from storage.billing._sql_rows import RowBatch, log_unreadable, unreadable_row
from storage.sql.tables import billing_allowances as allowances
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_debits as debits
from storage.sql.tables import billing_entries as entries
from storage.sql.tables import billing_payments as payments
from storage.sql.tables import billing_services as services

RUBRIC_BY_ENTRY = {("usage", "text"): "messages", ("usage", ""): "communications"}
"""Rubric of an entry by what it is and its kind; a purchase is a third party's."""
_OPERATOR: ColumnElement[Any] = bindparam("operator")
_ACCOUNT: ColumnElement[Any] = bindparam("account")
SELECT_PAYMENTS: Select[Any] = (
    select(*(payments.c[name] for name in ("at", "amount", "provider", "bill", "key")))
    .where(payments.c.operator == _OPERATOR, payments.c.account == _ACCOUNT)
    .order_by(payments.c.at.desc(), payments.c.key)
    .limit(bindparam("most", type_=entries.c.id.type))
)
_LAST_ISSUE = (
    select(func.max(bills.c.issued))
    .where(
        bills.c.operator == _OPERATOR,
        bills.c.account == _ACCOUNT,
        bills.c.issued <= bindparam("today"),
    )
    .scalar_subquery()
)
SELECT_UNBILLED: Select[Any] = (
    select(*(entries.c[name] for name in ("what", "kind", "amount", "user", "label", "centre")))
    .where(
        entries.c.operator == _OPERATOR,
        entries.c.account == _ACCOUNT,
        or_(_LAST_ISSUE.is_(None), entries.c.at >= _LAST_ISSUE),
    )
    .order_by(entries.c.id)
)
SELECT_ALLOWANCES: Select[Any] = (
    select(*(allowances.c[name] for name in ("kind", "used", "granted", "renews_on")))
    .where(
        allowances.c.operator == _OPERATOR,
        allowances.c.account == _ACCOUNT,
        allowances.c.user == bindparam("user"),
    )
    .order_by(allowances.c.kind)
)
SELECT_SERVICES: Select[Any] = (
    select(*(services.c[name] for name in ("name", "user", "since")))
    .where(
        services.c.operator == _OPERATOR,
        services.c.account == _ACCOUNT,
        or_(services.c.until.is_(None), services.c.until >= bindparam("today")),
    )
    .order_by(services.c.id)
)
SELECT_DEBIT: Select[Any] = select(
    *(debits.c[name] for name in ("reference", "account_end", "collects_on"))
).where(debits.c.operator == _OPERATOR, debits.c.account == _ACCOUNT)


class SqlActivity:
    """The `AccountActivity` part of the SQL backend."""

    _today: Callable[[], date]
    _currency: str
    _zone: tzinfo

    async def _fetch_rows(self, statement: Select[Any], key: ColumnElement[Any], **given: Any) -> RowBatch:
        """Return the rows of a query."""
        raise NotImplementedError

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first, each dated in the operator's time zone."""
        batch = await self._fetch_rows(SELECT_PAYMENTS, payments.c.key, account=account, most=limit)
        log_unreadable(len(batch.unreadable))
        return [
            BookedPayment(
                at.astimezone(self._zone).date(),
                round_amount(amount, self._currency),
                payment_method(method),
                bill,
                key,
            )
            for at, amount, method, bill, key in batch.rows
        ]

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return usage and purchases since the day of the newest bill, that day included."""
        batch = await self._fetch_rows(SELECT_UNBILLED, entries.c.id, account=account, today=self._today())
        if batch.unreadable:
            raise unreadable_row()  # the sum would be wrong
        unbilled = [
            BillLine(entry_rubric(what, kind), user, amount, label=label, centre=centre)
            for what, kind, amount, user, label, centre in batch.rows
        ]
        return CurrencyRule(rounding=self._currency).round_bill_lines(unbilled)

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period; unknown kinds are left out."""
        batch = await self._fetch_rows(SELECT_ALLOWANCES, allowances.c.kind, account=account, user=msisdn)
        log_unreadable(len(batch.unreadable))
        return [
            Allowance(row.kind, row.used, row.granted, row.renews_on, is_unlimited=row.granted is None)
            for row in batch.rows
            if is_allowance_kind(row.kind)
        ]

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return the plans and options that have not ended."""
        batch = await self._fetch_rows(SELECT_SERVICES, services.c.id, account=account, today=self._today())
        log_unreadable(len(batch.unreadable))
        return [SubscribedService(*row) for row in batch.rows]

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate; InvalidRecord for one that cannot be read."""
        batch = await self._fetch_rows(SELECT_DEBIT, debits.c.account, account=account)
        if batch.unreadable:
            raise unreadable_row()
        return DirectDebit(*batch.rows[0]) if batch.rows else None


def entry_rubric(what: str, kind: str) -> str:
    """Return the rubric that a usage record or purchase will have on a bill."""
    return RUBRIC_BY_ENTRY.get((what, kind)) or RUBRIC_BY_ENTRY.get((what, ""), "third_party")
