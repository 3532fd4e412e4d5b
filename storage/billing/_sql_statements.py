"""SQL statements of the `sql` billing backend; `operator` is bound in each, `here` in updates."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, literal_column, select, update

from flows.domain.records import Subscriber
from storage.billing._sql_rows import RowBatch
from storage.sql.bulk import in_table
from storage.sql.direct_query import DirectQuery
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_debits as debits
from storage.sql.tables import billing_documents as documents
from storage.sql.tables import billing_entries as entries
from storage.sql.tables import billing_lines as lines
from storage.sql.tables import billing_subscribers as subscribers

SUBSCRIBER_FIELDS = [each.name for each in fields(Subscriber)]
_SUBSCRIBER_COLUMNS = [
    subscribers.c[name] if name in subscribers.c else literal_column("''").label(name)
    for name in SUBSCRIBER_FIELDS
]
"""A column for each field of the record, in its order; empty text for what the table does not have."""
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
BILL_FIELDS = ("id", "number", "account", "issued", "due", "total", "tax", "remaining", "cancelled")
_BILL_COLUMNS = [bills.c[name] for name in BILL_FIELDS]
_SELECT_ISSUED: Select[Any] = select(*_BILL_COLUMNS).where(
    bills.c.operator == bindparam("operator"),
    bills.c.account == bindparam("account"),
    bills.c.issued <= bindparam("today"),
)
_NEWEST_FIRST = (
    bills.c.issued.desc(),
    func.length(bills.c.number).desc(),
    bills.c.number.desc(),
    bills.c.id.desc(),
)
SELECT_NEWEST_BILLS = (
    _SELECT_ISSUED.order_by(*_NEWEST_FIRST)
    .limit(bindparam("most", type_=lines.c.id.type))
    .offset(bindparam("skipped", type_=lines.c.id.type))
)
_NEWEST_ID = (
    select(bills.c.id)
    .where(
        bills.c.operator == bindparam("operator"),
        bills.c.account == subscribers.c.account,
        bills.c.issued <= bindparam("today"),
    )
    .order_by(*_NEWEST_FIRST)
    .limit(1)
    .correlate(subscribers)
    .scalar_subquery()
)
_NEWEST_BILL = bills.alias("newest")
SELECT_SUBSCRIBER_AND_BILL = (
    select(*_SUBSCRIBER_COLUMNS, *(_NEWEST_BILL.c[name] for name in BILL_FIELDS))
    .select_from(
        subscribers.outerjoin(
            _NEWEST_BILL,
            (_NEWEST_BILL.c.operator == bindparam("operator")) & (_NEWEST_BILL.c.id == _NEWEST_ID),
        )
    )
    .where(_OF_OPERATOR, subscribers.c.msisdn == bindparam("msisdn"))
)
"""A number's subscriber, then the columns of the account's newest issued bill, NULL where there is none."""
_OF_SAME_ACCOUNT = and_(debits.c.operator == bills.c.operator, debits.c.account == bills.c.account)
SELECT_LIVE_ACCOUNT = SELECT_NEWEST_BILLS.add_columns(
    *(debits.c[name] for name in ("reference", "account_end", "collects_on"))
).select_from(bills.outerjoin(debits, _OF_SAME_ACCOUNT))
"""The newest bills; after the columns of each, the mandate of the account, NULL where there is none."""
SELECT_BILL = _SELECT_ISSUED.where(bills.c.id == bindparam("bill"))
_LINE_FIELDS = ("rubric", "user", "amount", "id", "label", "centre", "days", "of_days")
SELECT_LINES = (
    select(*(lines.c[name] for name in _LINE_FIELDS))
    .where(lines.c.operator == bindparam("operator"), lines.c.bill == bindparam("bill"))
    .order_by(lines.c.id)
)
SELECT_ENTRIES: Select[Any] = (
    select(*(entries.c[name] for name in ("at", "kind", "amount", "label", "quantity", "user", "centre")))
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
    .where(_OF_OPERATOR, in_table(subscribers.c.account, "accounts"))
    .order_by(subscribers.c.since.desc(), subscribers.c.id.desc())
)
SELECT_HOLDER = (
    select(*_SUBSCRIBER_COLUMNS)
    .where(_OF_OPERATOR, subscribers.c.account == bindparam("account"))
    .order_by(subscribers.c.since, subscribers.c.id)
)
CYCLE_PAGE_QUERY = DirectQuery(SELECT_CYCLE_PAGE, RowBatch)
HOLDERS_QUERY = DirectQuery(SELECT_HOLDERS, RowBatch)
SUBSCRIBER_QUERY = DirectQuery(SELECT_SUBSCRIBER, RowBatch)
SUBSCRIBER_AND_BILL_QUERY = DirectQuery(SELECT_SUBSCRIBER_AND_BILL, RowBatch)
NEWEST_BILLS_QUERY = DirectQuery(SELECT_NEWEST_BILLS, RowBatch)
LIVE_ACCOUNT_QUERY = DirectQuery(SELECT_LIVE_ACCOUNT, RowBatch)
BILL_QUERY = DirectQuery(SELECT_BILL, RowBatch)
