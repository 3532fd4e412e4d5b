"""SQL statements that write the demo data set to the billing tables."""

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from storage.sql.tables import (
    billing_bills,
    billing_documents,
    billing_entries,
    billing_lines,
    billing_subscribers,
)

INSERT_SUBSCRIBER = upsert(billing_subscribers).on_conflict_do_nothing(
    index_elements=[billing_subscribers.c.id]
)
UPDATE_SUBSCRIBER = (
    update(billing_subscribers)
    .where(billing_subscribers.c.id == bindparam("whose"))
    .values(since=bindparam("from_day"), sim_changed_at=bindparam("changed"))
)
INSERT_BILL = insert(billing_bills)
INSERT_LINE = insert(billing_lines)
INSERT_ENTRY = insert(billing_entries)
INSERT_DOCUMENT = insert(billing_documents)
DELETE_ENTRIES = delete(billing_entries).where(
    billing_entries.c.operator == bindparam("operator"), billing_entries.c.account == bindparam("account")
)
DELETE_BILLS = delete(billing_bills).where(
    billing_bills.c.operator == bindparam("operator"), billing_bills.c.account == bindparam("account")
)
