"""SQL billing backend: bills in our own tables, for the demo, small operators and tests."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, Update, bindparam, func, select, update

from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    BillState,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from storage.billing._client.currency import CurrencyRule, outstanding_amount, round_amount
from storage.billing._client.ownership import OwnershipClaim, collect_numbers, select_holder, select_owner
from storage.billing.backend import BackendContext
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_documents as documents
from storage.sql.tables import billing_entries as entries
from storage.sql.tables import billing_lines as lines
from storage.sql.tables import billing_subscribers as subscribers

PAGE_SIZE = 2_000
"""Bills per page of a billing cycle."""

_SUBSCRIBER_FIELDS = [each.name for each in fields(Subscriber) if each.name in subscribers.c]
_SUBSCRIBER_COLUMNS = [subscribers.c[name] for name in _SUBSCRIBER_FIELDS]
_OF_OPERATOR = subscribers.c.operator == bindparam("operator")
SELECT_SUBSCRIBER = select(*_SUBSCRIBER_COLUMNS).where(
    _OF_OPERATOR, subscribers.c.msisdn == bindparam("msisdn")
)
SELECT_MEDIA = (
    select(subscribers.c.media, subscribers.c.email, subscribers.c.address)
    .where(_OF_OPERATOR, subscribers.c.account == bindparam("account"))
    .order_by(subscribers.c.since, subscribers.c.id)
    .limit(1)
)
_UPDATE_ACCOUNT = update(subscribers).where(
    subscribers.c.operator == bindparam("here"), subscribers.c.account == bindparam("whose")
)
UPDATE_MEDIA = _UPDATE_ACCOUNT.values(media=bindparam("wanted"))
UPDATE_MEDIA_AND_EMAIL = UPDATE_MEDIA.values(email=bindparam("to"), email_validated=True)
UPDATE_ADDRESS = _UPDATE_ACCOUNT.values(address=bindparam("wanted"))
_BILL_FIELDS = ("id", "number", "account", "issued", "due", "total", "tax", "remaining", "cancelled")
_BILL_COLUMNS = [bills.c[name] for name in _BILL_FIELDS]
_SELECT_ISSUED: Select[Any] = select(*_BILL_COLUMNS).where(
    bills.c.operator == bindparam("operator"),
    bills.c.account == bindparam("account"),
    bills.c.issued <= bindparam("today"),
)
SELECT_NEWEST_BILLS = (
    _SELECT_ISSUED.order_by(bills.c.issued.desc(), func.length(bills.c.number).desc(), bills.c.number.desc())
    .order_by(bills.c.id.desc())
    .limit(bindparam("most", type_=lines.c.id.type))
    .offset(bindparam("skipped", type_=lines.c.id.type))
)
SELECT_BILL = _SELECT_ISSUED.where(bills.c.id == bindparam("bill"))
_LINE_FIELDS = ("rubric", "user", "amount", "id", "label", "centre", "days", "of_days")
SELECT_LINES = (
    select(*(lines.c[name] for name in _LINE_FIELDS))
    .where(lines.c.operator == bindparam("operator"), lines.c.bill == bindparam("bill"))
    .order_by(lines.c.id)
)
SELECT_ENTRIES = (
    select(entries.c.at, entries.c.kind, entries.c.amount, entries.c.label, entries.c.quantity)
    .where(
        entries.c.operator == bindparam("operator"),
        entries.c.account == bindparam("account"),
        entries.c.what == bindparam("what"),
    )
    .order_by(entries.c.at.desc(), entries.c.id.desc())
    .limit(bindparam("most", type_=lines.c.id.type))
)
SELECT_DOCUMENT = select(documents.c.data, documents.c.sha256, documents.c.format, documents.c.platform).where(
    documents.c.operator == bindparam("operator"), documents.c.bill == bindparam("bill")
)


_IN_CYCLE = (
    bills.c.operator == bindparam("operator"),
    bills.c.issued.between(bindparam("first"), bindparam("last")),
)
COUNT_CYCLE = select(func.count()).select_from(bills).where(*_IN_CYCLE)
SELECT_CYCLE_PAGE = (
    select(*_BILL_COLUMNS)
    .where(*_IN_CYCLE, bills.c.id > bindparam("after"))
    .order_by(bills.c.id)
    .limit(bindparam("most", type_=lines.c.id.type))
)
SELECT_HOLDERS = (
    select(*_SUBSCRIBER_COLUMNS)
    .where(_OF_OPERATOR, in_array(subscribers.c.account, "accounts"))
    .order_by(subscribers.c.since.desc(), subscribers.c.id.desc())
)
SELECT_HOLDER = (
    select(*_SUBSCRIBER_COLUMNS)
    .where(_OF_OPERATOR, subscribers.c.account == bindparam("account"))
    .order_by(subscribers.c.since, subscribers.c.id)
    .limit(1)
)


def bill_state(total: Decimal, remaining: Decimal, due: date, today: date, *, cancelled: bool) -> BillState:
    """Return a bill's state on a day, the first that applies. Overdue is derived, never stored."""
    if cancelled:
        return "cancelled"
    if total < 0:
        return "credit"
    if remaining <= 0:
        return "paid"
    if due < today:
        return "overdue"
    return "part" if remaining < total else "due"


class SqlBilling:
    """`Billing` port on our own tables, for one operator. `today` returns the date in its time zone."""

    capabilities: Collection[Capability] = ("usage", "purchases", "documents")

    def __init__(
        self, database: Database, operator: str, today: Callable[[], date], currency: str = ""
    ) -> None:
        self._database = database
        self._operator = operator
        self._today = today
        self._currency = currency

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        row = await self._fetch_first_row(SELECT_SUBSCRIBER, msisdn=msisdn)
        return select_owner([_ownership_claim(_to_subscriber(row))], msisdn, self._today())

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; bills dated in the future are left out."""
        today = self._today()
        values = {"account": account, "today": today, "most": limit, "skipped": offset}
        rows = await self._fetch_rows(SELECT_NEWEST_BILLS, **values)
        return [_to_bill(row, today, self._currency) for row in rows]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        today = self._today()
        row = await self._fetch_first_row(SELECT_BILL, account=account, today=today, bill=bill_id)
        return _to_bill(row, today, self._currency)

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        lines_of_bill = [_to_bill_line(row) for row in await self._fetch_rows(SELECT_LINES, bill=bill_id)]
        return CurrencyRule(rounding=self._currency).round_bill_lines(lines_of_bill)

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; NotFound for an unknown account."""
        row = await self._fetch_first_row(SELECT_MEDIA, account=account)
        return BillDestination(row.media, row.email)

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Set paper or e-mail, and the address of all lines of the account; False when it is already set."""
        if destination.is_met_by(await self.get_media(account)):
            return False
        statement = UPDATE_MEDIA_AND_EMAIL if destination.email else UPDATE_MEDIA
        values = {"wanted": destination.media} | ({"to": destination.email} if destination.email else {})
        return await self._update_account(statement, account, values)

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Set the postal address of all lines of the account; False when it is already set."""
        if (await self._fetch_first_row(SELECT_MEDIA, account=account)).address == address:
            return False
        return await self._update_account(UPDATE_ADDRESS, account, {"wanted": address})

    async def _update_account(self, statement: Update, account: str, values: dict[str, str]) -> bool:
        parameters = {"here": self._operator, "whose": account, **values}
        count = await self._database.write(
            lambda connection: connection.execute(statement, parameters).rowcount
        )
        return bool(count)

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases, newest first."""
        return [
            UsageEntry(*row)
            for row in await self._fetch_rows(SELECT_ENTRIES, account=account, what=what, most=limit)
        ]

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's document unchanged; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        return BillDocument(*await self._fetch_first_row(SELECT_DOCUMENT, bill=bill_id))

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        today, after = self._today(), ""
        days = {"first": first, "last": min(last, today)}
        ((expected,),) = await self._fetch_rows(COUNT_CYCLE, **days)
        while rows := await self._fetch_rows(SELECT_CYCLE_PAGE, **days, after=after, most=PAGE_SIZE):
            page = [_to_bill(row, today, self._currency) for row in rows]
            after = page[-1].id
            holder_rows = await self._fetch_rows(SELECT_HOLDERS, accounts=[bill.account for bill in page])
            every = map(_to_subscriber, holder_rows)
            holders = {holder.account: holder for holder in every if holder.since <= today}
            pairs = [(bill, holders[bill.account]) for bill in page if bill.account in holders]
            yield CyclePage(pairs, (), len(page) - len(pairs), expected)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        rows = await self._fetch_rows(SELECT_HOLDER, account=account)
        claims = [_ownership_claim(_to_subscriber(row)) for row in rows]
        return select_holder(claims, account, self._today())

    async def _fetch_rows(self, statement: Select[Any], **given: Any) -> Sequence[Any]:
        values = {"operator": self._operator, **given}

        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(statement, values).all()

        return await self._database.read(job)

    async def _fetch_first_row(self, statement: Select[Any], **given: Any) -> Any:
        """Return the first row; NotFound when there is none or a value holds a NUL (refused by PostgreSQL)."""
        if any("\0" in value for value in given.values() if isinstance(value, str)):
            raise NotFound
        rows = await self._fetch_rows(statement, **given)
        if not rows:
            raise NotFound
        return rows[0]


def _to_bill_line(row: Any) -> BillLine:
    return BillLine(**{**row._mapping, "id": str(row.id)})


def _to_subscriber(row: Any) -> Subscriber:
    """Build from a row of `_SUBSCRIBER_COLUMNS`, by position: access by name takes ten times as long."""
    return Subscriber(**dict(zip(_SUBSCRIBER_FIELDS, row, strict=True)))


def _ownership_claim(line: Subscriber) -> OwnershipClaim[Subscriber]:
    return OwnershipClaim(line, frozenset([line.account]), collect_numbers(line.msisdn), starts=line.since)


def _to_bill(row: Any, today: date, currency: str) -> Bill:
    """Build from a row of `_BILL_COLUMNS`."""
    name, number, account, issued, due, total, tax, remaining, cancelled = row
    if currency:
        total, tax, remaining = (round_amount(each, currency) for each in (total, tax, remaining))
    remaining = outstanding_amount(total, remaining)
    state = bill_state(total, remaining, due, today, cancelled=cancelled)
    return Bill(name, number, account, issued, due, total, tax, remaining, state)


def connect(_address: str, context: BackendContext) -> SqlBilling:
    """Return the backend named `sql`, on our own database; the address is ignored."""
    return SqlBilling(context.database, context.operator, context.today, context.currency)
