"""Lists of CAMARA carrier billing: filters, order and pages of payments and of refunds.

Parameters, defaults and headers are those of Carrier Billing 0.5 and Carrier Billing Refund 0.3.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from multidict import MultiMapping

from gateway.purchases.camara_errors import CamaraError, invalid_argument
from gateway.purchases.camara_request import read_count, read_time

STATUSES = frozenset({"processing", "pending_validation", "denied", "reserved", "succeeded", "cancelled"})
REFUND_STATUSES = frozenset({"processing", "denied", "succeeded"})
ORDERS = ("desc", "asc")
MAX_MATCHING, MAX_PAGE, DEFAULT_PAGE = 1_000, 100, 10
"""Rows a query may match, rows of one page at most, and unless the query says otherwise."""
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListForm:
    """How one interface names the parameters of its list."""

    resource: str
    """Begins the names of the parameters: `payment`, `refund`."""
    errors: str
    """Begins its error codes."""
    statuses: Collection[str]


PAYMENT_LIST = ListForm("payment", "CARRIER_BILLING", STATUSES)
REFUND_LIST = ListForm("refund", "CARRIER_BILLING_REFUND", REFUND_STATUSES)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a merchant asks a list for; times in UTC, both ends included."""

    since: datetime
    until: datetime
    statuses: Collection[str]
    is_ascending: bool
    page: int
    size: int

    def is_wanted(self, status: str, created_at: datetime) -> bool:
        """Return whether a row of this status and time is asked for."""
        return status in self.statuses and self.since <= created_at <= self.until

    def cut_page(self, rows: Sequence[object]) -> "ListedPage":
        """Return the page asked for of all matching rows, which are newest first."""
        ordered, first = [*reversed(rows)] if self.is_ascending else [*rows], (self.page - 1) * self.size
        return ListedPage(ordered[first : first + self.size], len(ordered), first)


@dataclass(frozen=True, slots=True)
class ListedPage:
    """One page of a list, and where it is in the whole."""

    rows: Sequence[object] = field(repr=False)
    total: int
    first: int
    """Rows before it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that say how many rows match, and the number of the last one on this page."""
        last = min(self.first + len(self.rows), self.total)
        return {"X-Total-Count": str(self.total), "Content-Last-Key": str(last)}


def read_list_query(query: MultiMapping[str], form: ListForm, now: datetime) -> ListQuery:
    """Return what the parameters ask for; CamaraError 400 for one that is wrong or that nothing is kept for."""
    if "merchantIdentifier" in query:
        raise invalid_argument("merchantIdentifier is not stored: each merchant has a token of its own.")
    since = read_time(query.get(f"{form.resource}CreationDate.gte", ""), BEGINNING)
    until = read_time(query.get(f"{form.resource}CreationDate.lte", ""), now)
    if since > until:
        message = "Client specified an invalid date range."
        raise CamaraError(400, f"{form.errors}.INVALID_DATE_RANGE", message)
    return ListQuery(
        since,
        until,
        _read_words(query.getall(f"{form.resource}Status", []), form.statuses) or form.statuses,
        _read_words([query.get("order", ORDERS[0])], ORDERS) == {"asc"},
        read_count(query.get("page", ""), 1, MAX_MATCHING),
        read_count(query.get("perPage", ""), DEFAULT_PAGE, MAX_PAGE),
    )


def require_few(rows: Sequence[object], form: ListForm) -> None:
    """Raise CamaraError 400 when more than `MAX_MATCHING` rows match."""
    if len(rows) > MAX_MATCHING:
        message = "Too many matching records found. Ask for a shorter time."
        raise CamaraError(400, f"{form.errors}.TOO_MANY_MATCHING_RECORDS", message)


def _read_words(values: Sequence[str], known: Collection[str]) -> Collection[str]:
    """Return the words of a parameter, repeated or separated by commas; CamaraError 400 for an unknown one."""
    words = {word for each in values for word in each.split(",") if word}
    if words - {*known}:
        raise invalid_argument(f"One of these is expected: {', '.join(sorted(known))}.")
    return words
