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
from storage.billing._client.allowance_words import MAX_QUANTITY, parse_quantity, round_quantity
from storage.billing._client.answer_fields import clean_text, parse_amount
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.mandate_digits import account_digits
from storage.billing._client.ownership import number_digits
from storage.billing._mapped_records import MappedRecordParser, Row, key_text
from storage.billing._mapped_tables import MappedTable, MappedTableReader, iso_text
from storage.billing._sql_activity import entry_rubric
from storage.billing._sql_rows import log_unreadable, unreadable_row

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
        found = [
            (entry.at, iso_text(row["at"]), place, entry)
            for place, (row, entry) in enumerate(zip(rows, map(self._parse_entry, rows), strict=True))
        ]
        newest = sorted(found, key=lambda each: each[:3], reverse=True)
        return [entry for *_, entry in newest[:limit]]

    def _parse_entry(self, row: Row) -> UsageEntry:
        return UsageEntry(
            self._parser.parse_day(row["at"], "at"),
            clean_text(row["kind"]),
            parse_amount(str(row["amount"]), "amount"),
            clean_text(row["label"]),
            round_quantity(parse_amount(_number_text(row["quantity"] or 0), "quantity", MAX_QUANTITY)),
            clean_text(key_text(row["user"])),
            clean_text(key_text(row["centre"])),
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
                key_text(row["bill"]),
                key_text(row["key"]),
            )
            for row in await self._own_rows("payments", account)
        ]
        return sorted(found, key=lambda each: (each.paid_on, each.key), reverse=True)[:limit]

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period; a row that does not say so is left out."""
        own = [
            row
            for row in await self._own_rows("allowances", account)
            if number_digits(key_text(row["user"])) == number_digits(msisdn) and is_allowance_kind(row["kind"])
        ]
        found = [each for each in map(self._parse_allowance, own) if each]
        log_unreadable(len(own) - len(found))
        return sorted(found, key=lambda each: each.kind)

    def _parse_allowance(self, row: Row) -> Allowance | None:
        """Return an allowance; None when what was used, or the limit, is no number."""
        kind, granted = row["kind"], row["granted"]
        used = parse_quantity(kind, _number_text(row["used"]), "")
        limit = None if granted is None else parse_quantity(kind, _number_text(granted), "")
        if used is None or (limit is None and granted is not None):
            return None
        whole_limit = None if limit is None else round_quantity(limit)
        day = self._day(row, "renews_on")
        return Allowance(kind, round_quantity(used), whole_limit, day, is_unlimited=granted is None)

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to today."""
        rows = await self._own_rows("services", account)
        ends = [(row, self._day(row, "until")) for row in rows]
        return [
            SubscribedService(
                clean_text(row["name"]), clean_text(key_text(row["user"])), self._day(row, "since")
            )
            for row, until in ends
            if until is None or until >= self._today
        ]

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate."""
        for row in await self._own_rows("debits", account):
            end = account_digits(key_text(row["account_end"]))
            return DirectDebit(clean_text(key_text(row["reference"])), end, self._day(row, "collects_on"))
        return None

    def _day(self, row: Row, column_name: str) -> date | None:
        value = row[column_name]
        return None if value in (None, "") else self._parser.parse_day(value, column_name)


def _number_text(value: object) -> str:
    """Return a number of any type as text, without the spaces of a fixed-width column."""
    return str(value).strip()
