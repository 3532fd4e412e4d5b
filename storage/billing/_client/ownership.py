"""Data ownership rule: an answer is used only if it names the number or account that was asked for.

A backend's filter is never trusted. Ended and future subscriptions are skipped by status and period. When
two accounts remain for one number its owner is unknown: NotFound and a log alert, never a guess.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Generic, TypeVar

from flows.domain.failures import NotFound
from storage.billing._client.answer_fields import identifier_text, parse_instant

T = TypeVar("T")
log = logging.getLogger("dialtree.billing")
ENDED_STATUSES = frozenset(
    {
        *("terminated", "cancelled", "canceled", "aborted", "expired", "ended", "closed", "ceased", "deleted"),
        *("deactivated", "inactive", "disconnected", "rejected"),
    }
)
"""Statuses of subscriptions that are over: TMF637's, Kill Bill's EntitlementState, and their synonyms."""
FUTURE_STATUSES = frozenset({"created", "pendingactive", "pending", "draft", "ordered"})
"""Statuses of subscriptions that have not begun."""
NUMBER_SEPARATORS = str.maketrans("", "", " -.()/\u00a0")
MIN_NUMBER_DIGITS, MAX_NUMBER_DIGITS = 5, 15


@dataclass(frozen=True, slots=True)
class OwnershipClaim(Generic[T]):
    """Owner fields of one record (product, bundle, row)."""

    record: T = field(repr=False)
    accounts: frozenset[str] = field(repr=False)
    """Accounts it names."""
    numbers: frozenset[str] = field(repr=False)
    """Phone numbers it names, as `number_digits` writes them."""
    status: str = ""
    starts: date | None = None
    ends: date | None = None
    """First day on which it is over."""

    def is_current(self, today: date) -> bool:
        """Return whether the subscription has begun and is not over."""
        word = "".join(each for each in self.status.lower() if each.isalpha())
        begun = word not in FUTURE_STATUSES and (self.starts is None or self.starts <= today)
        return begun and word not in ENDED_STATUSES and (self.ends is None or today < self.ends)


def number_digits(value: object) -> str:
    """Return a phone number as its digits, country code first; empty for what is no phone number."""
    text = identifier_text(value).strip().removeprefix("tel:").translate(NUMBER_SEPARATORS)
    digits = text.removeprefix("+").removeprefix("00") if text[:1] in ("+", "0") else text
    is_number = digits.isascii() and digits.isdecimal()
    return digits if is_number and MIN_NUMBER_DIGITS <= len(digits) <= MAX_NUMBER_DIGITS else ""


def collect_numbers(*values: object) -> frozenset[str]:
    """Return the phone numbers among some values."""
    return frozenset(filter(None, map(number_digits, values)))


def end_day(value: object, zone: tzinfo) -> date | None:
    """Return the first local day on which something that ends at this instant is over; None if unreadable."""
    instant = parse_instant(value, zone)
    if instant is None:
        return None
    local = instant.astimezone(zone)
    return local.date() if local.time() == time() else local.date() + timedelta(days=1)


def start_day(value: object, zone: tzinfo) -> date | None:
    """Return the local day of an instant; None if unreadable."""
    instant: datetime | None = parse_instant(value, zone)
    return instant.astimezone(zone).date() if instant else None


def select_owner(claims: Iterable[OwnershipClaim[T]], msisdn: str, today: date) -> T:
    """Return the record of the number's owner today; NotFound when there is none, or more than one account.

    Several current records of one account, such as a plan and its options, are one owner: the oldest is it.
    """
    every = list(claims)
    named = [each for each in every if each.numbers == {number_digits(msisdn)} and each.accounts]
    _report_strangers(len(every) - len(named), len(every), "number")
    current = [each for each in named if each.is_current(today)]
    if len(frozenset[str]().union(*(each.accounts for each in current))) > 1:
        log.error("billing.ambiguous_owner", extra={"claims": len(current)})
        raise NotFound
    return _oldest(current)


def select_holder(claims: Iterable[OwnershipClaim[T]], account: str, today: date) -> T:
    """Return the record of an account's line that is notified: the oldest current one with a number.

    NotFound when no current record names this account alone.
    """
    every = list(claims)
    named = [each for each in every if each.accounts == {account} and len(each.numbers) <= 1]
    _report_strangers(len(every) - len(named), len(every), "account")
    current = [each for each in named if each.is_current(today)]
    return _oldest([each for each in current if each.numbers] or current)


def require_named(given: object, wanted: str, what: str) -> None:
    """Raise NotFound, with a log alert, unless a record asked for by its id or owner names it."""
    if identifier_text(given) != wanted:
        _report_strangers(1, 1, what)
        raise NotFound


def _oldest(claims: Sequence[OwnershipClaim[T]]) -> T:
    if not claims:
        raise NotFound
    return min(claims, key=lambda each: (each.starts is None, each.starts or date.max)).record


def _report_strangers(strangers: int, answered: int, what: str) -> None:
    """Log an alert when a backend answered records that do not name what was asked for."""
    if strangers:
        log.error("billing.foreign_records", extra={"what": what, "strangers": strangers, "answered": answered})
