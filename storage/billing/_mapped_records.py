"""Rows of mapped tables as records: strict where a value decides what is shown, else lenient."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, get_args

from flows.domain.bill_delivery import BillMedia
from flows.domain.failures import InvalidRecord
from flows.domain.records import Bill, BillLine, LineKind, Subscriber
from storage.billing._client.answer_fields import (
    clean_text,
    field_error,
    parse_amount,
    parse_day,
    parse_flag,
    require_identifier,
)
from storage.billing._client.bill_state import bill_state
from storage.billing._client.currency import CurrencyRule, outstanding_amount
from storage.billing._client.ownership import (
    OwnershipClaim,
    collect_numbers,
    end_day,
    number_digits,
    start_day,
)
from storage.billing._mapped_tables import iso_text
from storage.billing.backend import BackendContext

Row = Mapping[str, Any]
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)
ROW_FAULT = "fault"
"""Key, in a row, of the reason why it cannot be used as a whole."""
DIFFERING_ROWS = "two rows of this id differ"


@dataclass(frozen=True, slots=True)
class MappedRecordParser:
    """Builds records from the rows of one operator's tables."""

    context: BackendContext
    currency: CurrencyRule
    email_word: str
    """Value of the `media` column that means e-mail."""

    def parse_subscriber(self, row: Row) -> Subscriber:
        """Build a subscriber; InvalidRecord without an id or a first day."""
        kind, digits = str(row["kind"]), number_digits(key_text(row["msisdn"]))
        return Subscriber(
            id=require_identifier(key_text(row["id"])),
            operator=self.context.operator,
            msisdn=f"+{digits}" if digits else "",
            account=require_identifier(key_text(row["account"]), "account"),
            name=clean_text(row["name"]),
            kind=kind if kind in LINE_KINDS else "mobile",
            segment="business" if row["segment"] == "business" else "residential",
            language=clean_text(row["language"])[:2].lower(),
            since=self.parse_day(row["since"], "since"),
            email=clean_text(row["email"], 320),
            email_validated=parse_flag(row["email_validated"]) is True,
            address=clean_text(row["address"]),
            account_number=clean_text(key_text(row["account_number"])),
            media=self.read_media(row),
        )

    def read_media(self, row: Row) -> BillMedia:
        """Return how bills reach the line's account."""
        return "email" if str(row["media"]) == self.email_word else "paper"

    def parse_bill(self, row: Row) -> Bill:
        """Build a bill; InvalidRecord names the column that cannot be used, or why the whole row cannot."""
        if row.get(ROW_FAULT):
            raise InvalidRecord(row[ROW_FAULT])
        unit = row["currency"]
        total, balance, tax = (
            self.currency.parse_money(_as_number(row[name]), unit, name)
            for name in ("total", "remaining", "tax")
        )
        remaining, due = outstanding_amount(total, balance), self.parse_day(row["due"], "due")
        is_cancelled = require_flag(row, "cancelled")
        return Bill(
            id=require_identifier(key_text(row["id"])),
            number=clean_text(key_text(row["number"]) or key_text(row["id"])),
            account=require_identifier(key_text(row["account"]), "account"),
            issued=self.parse_day(row["issued"], "issued"),
            due=due,
            total=total,
            tax=tax,
            remaining=remaining,
            state=bill_state(total, remaining, due, self.context.today(), cancelled=is_cancelled),
        )

    def parse_published_bill(self, row: Row) -> Bill | None:
        """Build a bill; None for one that is not published, InvalidRecord when that cannot be read."""
        if not row.get(ROW_FAULT) and not require_flag(row, "published"):
            return None
        return self.parse_bill(row)

    def parse_cycle_bill(self, row: Row, first: date, last: date) -> Bill | None:
        """Build a published bill of these days; None for one of other days."""
        issued = self.issue_day(row)
        return self.parse_published_bill(row) if issued is None or first <= issued <= last else None

    def parse_lines(self, rows: Iterable[Row]) -> list[BillLine]:
        """Build the lines of a bill, rounded so that they still add up."""
        return self.currency.round_bill_lines(
            BillLine(
                clean_text(row["rubric"]),
                clean_text(key_text(row["user"])),
                parse_amount(_as_number(row["amount"]), "amount"),
            )
            for row in rows
        )

    def parse_day(self, value: object, column_name: str) -> date:
        """Return a date, or an instant's date in the operator's time zone; InvalidRecord names the column."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return parse_day(iso_text(value), self.context.zone, column_name)

    def issue_day(self, row: Row) -> date | None:
        """Return the day a bill was issued; None when it cannot be read."""
        try:
            return self.parse_day(row["issued"], "issued")
        except InvalidRecord:
            return None

    def ownership_claim(self, row: Row) -> OwnershipClaim[Row]:
        """Return whom the row of a line names, and since when and until when."""
        account, zone = key_text(row["account"]), self.context.zone
        return OwnershipClaim(
            record=row,
            accounts=frozenset([account] if account else []),
            numbers=collect_numbers(key_text(row["msisdn"])),
            status=clean_text(str(row["status"] or "")),
            starts=start_day(iso_text(row["since"]), zone),
            ends=end_day(iso_text(row["until"]), zone),
        )


def key_text(value: object) -> str:
    """Return a key of any type as text; empty for NULL.

    A whole number is its digits in every type: a phone number in a column of floating-point numbers is not
    `40740000101.0`, whose digits are another number.
    """
    if isinstance(value, float | Decimal) and is_whole(value):
        return str(int(value))
    return "" if value is None else str(value)


def is_whole(number: float | Decimal) -> bool:
    """Return whether a number is finite and has no fraction."""
    return isfinite(number) and number == int(number)


def require_flag(row: Row, column_name: str) -> bool:
    """Return the flag of a column; InvalidRecord for a word that is neither yes nor no."""
    flag = parse_flag(row[column_name])
    if flag is None:
        raise field_error(column_name)
    return flag


def merge_duplicates(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each account and bill: a join may repeat a row; rows that differ cannot be used."""
    merged: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = key_text(row["id"]), key_text(row["account"])
        known = merged.setdefault(key, row)
        if known is not row and {**known, ROW_FAULT: None} != {**row, ROW_FAULT: None}:
            merged[key] = {**known, ROW_FAULT: DIFFERING_ROWS}
    return list(merged.values())


def _as_number(value: object) -> object:
    """Return the text of a number that is not exact: a float is read by its shortest digits."""
    return value if isinstance(value, Decimal) else str(value)
