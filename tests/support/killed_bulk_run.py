"""Lives of a reminder run and a bill run that are killed in the transaction of a page."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import Connection

from flows.domain.bill_cycle import CyclePage
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, DeferredStep, OutboundMessage, Subscriber
from flows.payments.reminder_planning import ReminderPlanner
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.bill_run import BillRun
from gateway.delivery.reminder_run import ReminderRun
from gateway.publishing import pack_compiler
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database, connect
from tests.support.databases import SECRET

OPERATOR, DUE = "orange-ro", date(2026, 3, 17)
NOW = datetime(2026, 3, 17, 9, tzinfo=UTC)
PAGES, BILLS_PER_PAGE = 6, 20
BILLS = PAGES * BILLS_PER_PAGE
PAGES_BEFORE_DEATH = 3
PSEUDONYMS = Pseudonyms(b"a key for the tests, nowhere else")


@dataclass
class DueBills:
    """Billing whose bills are all due today, a few on a page."""

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Yield every bill with its holder."""
        for page in range(PAGES):
            yield CyclePage([_due_bill(page * BILLS_PER_PAGE + place) for place in range(BILLS_PER_PAGE)])

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return no holder: promises are not read here."""
        raise NotImplementedError


class DyingOutbox(SqlBulkOutbox):
    """Kills its process when a page is written and not yet committed."""

    pages = 0

    def _insert_steps(
        self, connection: Connection, operator: str, steps: Sequence[DeferredStep], at: datetime
    ) -> int:
        inserted = super()._insert_steps(connection, operator, steps, at)
        self._die_in_time()
        return inserted

    def _insert_notices(
        self, connection: Connection, operator: str, notices: Sequence[OutboundMessage], at: datetime
    ) -> int:
        inserted = super()._insert_notices(connection, operator, notices, at)
        self._die_in_time()
        return inserted

    def _die_in_time(self) -> None:
        self.pages += 1
        if self.pages > PAGES_BEFORE_DEATH:
            os.kill(os.getpid(), signal.SIGKILL)


def _due_bill(number: int) -> tuple[Bill, Subscriber]:
    account, amount = f"account-{number}", Decimal("79.90")
    bill = Bill(f"bill-{number}", f"{number}", account, DUE, DUE, amount, Decimal(0), amount, "due")
    number_text = f"+40740{number:06}"
    holder = Subscriber(
        f"line-{number}", OPERATOR, number_text, account, "A", "mobile", "residential", "ro", DUE
    )
    return bill, holder


async def run_reminders(outbox: SqlBulkOutbox) -> int:
    """Run the reminders of the day and return how many were planned."""
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    planner = ReminderPlanner(menu, PSEUDONYMS)
    run = ReminderRun(OPERATOR, DueBills(), planner, outbox, None, lambda: NOW)
    return (await run.plan_reminders(DUE, lambda _: None)).planned


async def run_notices(outbox: SqlBulkOutbox) -> int:
    """Announce the bills of the day and return how many notices are new."""
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    run = BillRun(OPERATOR, DueBills(), BillAnnouncer(menu, PSEUDONYMS), outbox, lambda: NOW)
    return (await run.announce_bills(DUE, DUE, lambda _: None)).enqueued_count


RUNS = {"reminders": run_reminders, "notices": run_notices}


async def _live(what: str, url: str) -> None:
    database: Database = connect(url)
    await RUNS[what](DyingOutbox(database, SECRET))


if __name__ == "__main__":
    asyncio.run(_live(*sys.argv[1:]))
