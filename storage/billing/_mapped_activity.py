"""Account activity from mapped tables: payments, usage, allowances and services."""

from collections.abc import Mapping, Sequence
from datetime import date

from flows.domain.account_activity import (
    Allowance,
    BookedPayment,
    DirectDebit,
    SubscribedService,
    is_allowance_kind,
    payment_method,
)
from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, Capability, EntryType, UsageEntry
from storage.billing._client.answer_fields import clean_text, parse_amount
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.mandate_digits import account_digits
from storage.billing._mapped_records import MappedRecordParser, Row, key_text
from storage.billing._mapped_tables import MappedTable, MappedTableReader
from storage.billing._sql_activity import entry_rubric
from storage.billing._sql_rows import unreadable_row

MAX_ROWS = 10_000
"""Rows read of one account's table; of usage and purchases the newest."""
TABLES_BY_CAPABILITY: Mapping[Capability, str] = {
    "usage": "entries",
    "purchases": "entries",
    "unbilled": "entries",
    "history": "payments",
    "meter": "allowances",
    "services": "services",
    "debits": "debits",
}
"""The mapping that each capability needs."""


class MappedActivity:
    """The `AccountActivity` part of the mapped backend, and its usage records."""

    _activity_tables: Mapping[str, MappedTable]
    _currency: CurrencyRule
    _reader: MappedTableReader
    _parser: MappedRecordParser

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        raise NotImplementedError

    @property
    def _today(self) -> date:
        raise NotImplementedError

    async def _own_rows(self, name: str, account: str) -> list[Row]:
        """Return the rows of an account; NotFound when this table is not mapped."""
        if name not in self._activity_tables:
            raise NotFound
        table = self._activity_tables[name]
        newest = [table.columns["at"].desc()] if name == "entries" else []
        batch = await self._reader.find_rows(
            table, "account", (account,), "account", lambda query: query.order_by(*newest).limit(MAX_ROWS)
        )
        if batch.unreadable:
            raise unreadable_row()
        return [row for row in batch.rows if key_text(row["account"]) == account]

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases, newest first; NotFound when no table is mapped for them."""
        rows = [row for row in await self._own_rows("entries", account) if row["what"] == what]
        found = [self._parse_entry(row) for row in rows]
        newest = sorted(enumerate(found), key=lambda placed: (placed[1].at, placed[0]), reverse=True)
        return [entry for _, entry in newest[:limit]]

    def _parse_entry(self, row: Row) -> UsageEntry:
        return UsageEntry(
            self._parser.parse_day(row["at"], "at"),
            clean_text(row["kind"]),
            parse_amount(str(row["amount"]), "amount"),
            clean_text(row["label"]),
            int(row["quantity"]),
            clean_text(row["user"]),
            clean_text(row["centre"]),
        )

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return usage and purchases since the day of the newest bill, that day included."""
        newest = await self.list_bills(account, 1)
        since = newest[0].issued if newest else date.min
        rows = await self._own_rows("entries", account)
        entries = [(str(row["what"]), self._parse_entry(row)) for row in rows]
        return self._currency.round_bill_lines(
            BillLine(entry_rubric(what, each.kind), each.user, each.amount, label=each.label)
            for what, each in entries
            if each.at >= since
        )

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments, newest first."""
        found = [
            BookedPayment(
                self._parser.parse_day(row["paid_on"], "paid_on"),
                self._currency.parse_money(str(row["amount"]), "", "amount"),
                payment_method(clean_text(row["method"])),
                str(row["bill"] or ""),
                str(row["key"] or ""),
            )
            for row in await self._own_rows("payments", account)
        ]
        return sorted(found, key=lambda each: (each.paid_on, each.key), reverse=True)[:limit]

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period."""
        rows = await self._own_rows("allowances", account)
        own = [row for row in rows if row["user"] == msisdn and is_allowance_kind(row["kind"])]
        found = [
            Allowance(
                row["kind"],
                int(row["used"]),
                _number_or_none(row["granted"]),
                self._day(row, "renews_on"),
                is_unlimited=row["granted"] is None,
            )
            for row in own
        ]
        return sorted(found, key=lambda each: each.kind)

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to today."""
        rows = await self._own_rows("services", account)
        ends = [(row, self._day(row, "until")) for row in rows]
        return [
            SubscribedService(clean_text(row["name"]), clean_text(row["user"]), self._day(row, "since"))
            for row, until in ends
            if until is None or until >= self._today
        ]

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate."""
        for row in await self._own_rows("debits", account):
            end = account_digits(row["account_end"])
            return DirectDebit(clean_text(row["reference"]), end, self._day(row, "collects_on"))
        return None

    def _day(self, row: Row, column_name: str) -> date | None:
        value = row[column_name]
        return None if value in (None, "") else self._parser.parse_day(value, column_name)


def _number_or_none(value: object) -> int | None:
    return None if value is None else int(str(value))
