"""Bill order and lists: newest first, numbers as numbers, and what an unusable bill does to a list."""

import logging
import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

from flows.domain.failures import InvalidRecord
from flows.domain.records import Bill

T = TypeVar("T")
log = logging.getLogger("dialtree.billing")
_SPLIT_DIGITS = re.compile(r"([0-9]+)").split


def natural_key(text: str) -> tuple[str | int, ...]:
    """Return a sort key in which runs of digits compare as numbers: `INV-99` before `INV-100`."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_SPLIT_DIGITS(text)))


def issue_order(bill: Bill) -> tuple[Any, ...]:
    """Return the sort key of a bill: its day, then its number, then its id."""
    return bill.issued, natural_key(bill.number), natural_key(bill.id)


def usable_bills(
    records: Iterable[T], parse: Callable[[T], Bill], issue_day: Callable[[T], date | None], today: date
) -> list[Bill]:
    """Return the issued bills, newest first; a record that cannot be used is left out and logged.

    Raises InvalidRecord when that record is the newest, or all there is: the bill before it must not pass
    for the latest one.
    """
    bills, newest_invalid, failure = list[Bill](), date.min, None
    for record in records:
        try:
            bills.append(parse(record))
        except InvalidRecord as error:
            log.warning("billing.record_rejected", extra={"reason": str(error)})
            day = issue_day(record)
            newest_invalid = max(newest_invalid, day if day and day <= today else date.min)
            failure = failure or error
    issued = sorted((bill for bill in bills if bill.issued <= today), key=issue_order, reverse=True)
    if failure and (not issued or newest_invalid > issued[0].issued):
        raise failure
    return issued
