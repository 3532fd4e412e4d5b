"""SQL billing backend: bills in our own tables, for the demo, small operators and tests."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from flows.domain.failures import NotFound
from flows.domain.records import (
    Bill,
    BillLine,
    BillState,
    Capability,
    Document,
    Entries,
    Entry,
    Media,
    Subscriber,
)
from storage.billing.backend import Site
from storage.sql.bulk import among
from storage.sql.engine import Database
from storage.sql.schema import billing_bills as bills
from storage.sql.schema import billing_documents as documents
from storage.sql.schema import billing_entries as entries
from storage.sql.schema import billing_lines as lines
from storage.sql.schema import billing_subscribers as subscribers

PAGE = 2_000
"""Bills per page of a billing cycle."""

_NAMES = [each.name for each in fields(Subscriber) if each.name in subscribers.c]
_PERSON = [subscribers.c[name] for name in _NAMES]
_HERE = subscribers.c.operator == bindparam("operator")
WHO = select(*_PERSON).where(_HERE, subscribers.c.msisdn == bindparam("msisdn"))
_MEDIA = select(subscribers.c.media).where(_HERE, subscribers.c.account == bindparam("account"))
MEDIA = _MEDIA.limit(1)
SET_MEDIA = (
    update(subscribers)
    .where(
        subscribers.c.operator == bindparam("here"),
        subscribers.c.account == bindparam("whose"),
        subscribers.c.media != bindparam("wanted"),
    )
    .values(media=bindparam("wanted"))
)
_TOLD = ("id", "number", "account", "issued", "due", "total", "tax", "remaining", "cancelled")
_BILL = [bills.c[name] for name in _TOLD]
_ISSUED: Select[Any] = select(*_BILL).where(
    bills.c.operator == bindparam("operator"),
    bills.c.account == bindparam("account"),
    bills.c.issued <= bindparam("today"),
)
NEWEST = (
    _ISSUED.order_by(bills.c.issued.desc(), bills.c.id.desc())
    .limit(bindparam("most", type_=lines.c.id.type))
    .offset(bindparam("skipped", type_=lines.c.id.type))
)
ONE = _ISSUED.where(bills.c.id == bindparam("bill"))
_LINE = ("rubric", "user", "amount", "id", "label", "centre", "days", "of_days")
LINES = (
    select(*(lines.c[name] for name in _LINE))
    .where(lines.c.operator == bindparam("operator"), lines.c.bill == bindparam("bill"))
    .order_by(lines.c.id)
)
ENTRIES = (
    select(entries.c.at, entries.c.kind, entries.c.amount, entries.c.label, entries.c.quantity)
    .where(
        entries.c.operator == bindparam("operator"),
        entries.c.account == bindparam("account"),
        entries.c.what == bindparam("what"),
    )
    .order_by(entries.c.at.desc(), entries.c.id.desc())
    .limit(bindparam("most", type_=lines.c.id.type))
)
DOCUMENT = select(documents.c.data, documents.c.sha256, documents.c.format, documents.c.platform).where(
    documents.c.operator == bindparam("operator"), documents.c.bill == bindparam("bill")
)


CYCLE = (
    select(*_BILL)
    .where(
        bills.c.operator == bindparam("operator"),
        bills.c.issued.between(bindparam("first"), bindparam("last")),
        bills.c.id > bindparam("after"),
    )
    .order_by(bills.c.id)
    .limit(bindparam("most", type_=lines.c.id.type))
)
HOLDERS = (
    select(*_PERSON).where(_HERE, among(subscribers.c.account, "accounts")).order_by(subscribers.c.id.desc())
)
HOLDER = (
    select(*_PERSON)
    .where(_HERE, subscribers.c.account == bindparam("account"))
    .order_by(subscribers.c.id)
    .limit(1)
)


def state_of(total: Decimal, remaining: Decimal, due: date, today: date, *, cancelled: bool) -> BillState:
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

    def __init__(self, database: Database, operator: str, today: Callable[[], date]) -> None:
        self._database = database
        self._operator = operator
        self._today = today

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        return _subscriber(await self._first(WHO, msisdn=msisdn))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; bills dated in the future are left out."""
        today = self._today()
        values = {"account": account, "today": today, "most": limit, "skipped": offset}
        return [_bill(row, today) for row in await self._all(NEWEST, **values)]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        today = self._today()
        return _bill(await self._first(ONE, account=account, today=today, bill=bill_id), today)

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.bill(account, bill_id)
        return [_line(row) for row in await self._all(LINES, bill=bill_id)]

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today; NotFound for an unknown account."""
        return (await self._first(MEDIA, account=account)).media  # type: ignore[no-any-return]

    async def set_media(self, account: str, media: Media) -> bool:
        """Set paper or e-mail; False when it is already set."""
        await self.media(account)
        values = {"here": self._operator, "whose": account, "wanted": media}
        count = await self._database.write(lambda connection: connection.execute(SET_MEDIA, values).rowcount)
        return bool(count)

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Return usage or purchases, newest first."""
        return [Entry(*row) for row in await self._all(ENTRIES, account=account, what=what, most=limit)]

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the issuer's document unchanged; NotFound for another account's bill."""
        await self.bill(account, bill_id)
        return Document(*await self._first(DOCUMENT, bill=bill_id))

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        today, after = self._today(), ""
        while rows := await self._all(CYCLE, first=first, last=min(last, today), after=after, most=PAGE):
            page = [_bill(row, today) for row in rows]
            after = page[-1].id
            holder_rows = await self._all(HOLDERS, accounts=[bill.account for bill in page])
            holders = {holder.account: holder for holder in map(_subscriber, holder_rows)}
            yield [(bill, holders[bill.account]) for bill in page if bill.account in holders]

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        return _subscriber(await self._first(HOLDER, account=account))

    async def _all(self, statement: Select[Any], **given: Any) -> Sequence[Any]:
        values = {"operator": self._operator, **given}

        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(statement, values).all()

        return await self._database.read(job)

    async def _first(self, statement: Select[Any], **given: Any) -> Any:
        """Return the first row; NotFound when there is none or a value holds a NUL (refused by PostgreSQL)."""
        if any("\0" in value for value in given.values() if isinstance(value, str)):
            raise NotFound
        rows = await self._all(statement, **given)
        if not rows:
            raise NotFound
        return rows[0]


def _line(row: Any) -> BillLine:
    return BillLine(**{**row._mapping, "id": str(row.id)})


def _subscriber(row: Any) -> Subscriber:
    """Build from a row of `_SUBSCRIBER_COLUMNS`, by position: access by name takes ten times as long."""
    return Subscriber(**dict(zip(_NAMES, row, strict=True)))


def _bill(row: Any, today: date) -> Bill:
    """Build from a row of `_BILL_COLUMNS`."""
    name, number, account, issued, due, total, tax, remaining, cancelled = row
    state = state_of(total, remaining, due, today, cancelled=cancelled)
    return Bill(name, number, account, issued, due, total, tax, remaining, state)


def connect(_address: str, site: Site) -> SqlBilling:
    """Return the backend named `sql`, on our own database; the address is ignored."""
    return SqlBilling(site.database, site.operator, site.today)
