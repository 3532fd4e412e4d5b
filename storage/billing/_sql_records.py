"""Rows of our own billing tables as records; rows come by position, as those of direct queries do."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from flows.domain.records import Bill, BillLine, Subscriber
from storage.billing import _sql_statements as queries
from storage.billing._client.answer_fields import parse_amount
from storage.billing._client.bill_state import bill_state
from storage.billing._client.currency import outstanding_amount, round_amount
from storage.billing._client.ownership import OwnershipClaim, collect_numbers, number_digits


def holders_by_account(newest_first: Iterable[Subscriber], today: date) -> dict[str, Subscriber]:
    """Return each account's oldest current line, of those with a phone number where there are any."""
    holders = dict[str, Subscriber]()
    for line in newest_first:
        known = holders.get(line.account)
        if line.since <= today and (known is None or _has_number(line) or not _has_number(known)):
            holders[line.account] = line
    return holders


def _has_number(line: Subscriber) -> bool:
    """Return whether a line is named by a phone number; one of internet access may have another name."""
    return bool(number_digits(line.msisdn))


def row_to_bill_line(row: Any) -> BillLine:
    """Build from a row of the line columns; InvalidRecord for an amount that is none."""
    return BillLine(**{**row._mapping, "id": str(row.id), "amount": parse_amount(row.amount, "amount")})


def row_to_subscriber(row: Any) -> Subscriber:
    """Build from a row of the subscriber columns, which are the fields in their order."""
    return Subscriber(*row)


def line_claim(line: Subscriber) -> OwnershipClaim[Subscriber]:
    """Return whom a line names, and since when."""
    return OwnershipClaim(line, frozenset([line.account]), collect_numbers(line.msisdn), starts=line.since)


def row_to_bill(row: Any, today: date, currency: str) -> Bill:
    """Build from a row that begins with the bill columns; InvalidRecord for an amount that is none."""
    name, number, account, issued, due, *amounts, cancelled = row[: len(queries.BILL_FIELDS)]
    total, tax, remaining = (round_amount(parse_amount(each, "amount"), currency) for each in amounts)
    remaining = outstanding_amount(total, remaining)
    state = bill_state(total, remaining, due, today, cancelled=cancelled)
    return Bill(name, number, account, issued, due, total, tax, remaining, state)
