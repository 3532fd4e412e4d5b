"""Bill run that stops on an error: no request for a page and no write goes on behind it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import pytest

from flows.domain.bill_cycle import CyclePage
from flows.domain.failures import NotFound
from flows.domain.records import OutboundMessage, Subscriber
from gateway.delivery.bill_run import BillRun, BillRunProgress
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database
from tests.gateway.delivery.test_bill_run import MARCH
from tests.gateway.delivery.test_bill_run import announcer as announcer
from tests.gateway.delivery.test_bill_run import run as run
from tests.support.databases import SECRET
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url


@dataclass
class BreakingCycles:
    """Billing that gives one page twice and then breaks, or answers no more."""

    page: CyclePage
    breaks: bool
    cancelled: list[bool] = field(default_factory=list)

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        yield self.page
        yield self.page
        try:
            if self.breaks:
                raise ConnectionError("billing broke")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(True)
            raise

    async def get_account_holder(self, account: str) -> Subscriber:
        raise NotFound


class SlowOutbox(SqlBulkOutbox):
    """Outbox that counts the writes that ended."""

    ended_writes = 0

    async def enqueue_notices(self, operator: str, notices: Sequence[OutboundMessage], at: datetime) -> int:
        for _ in range(10):
            await asyncio.sleep(0)
        self.ended_writes += 1
        return 0


async def breaking_run(run: BillRun, database: Database, *, breaks: bool) -> tuple[BillRun, SlowOutbox]:
    [page] = [page async for page in run.cycles.list_issued_bills(*MARCH)]
    outbox = SlowOutbox(database, SECRET)
    return replace(run, cycles=BreakingCycles(page, breaks), bulk_outbox=outbox), outbox


async def test_billing_that_breaks_leaves_no_write_behind(run: BillRun, database: Database) -> None:
    broken, outbox = await breaking_run(run, database, breaks=True)
    with pytest.raises(ConnectionError):
        await broken.announce_bills(*MARCH, lambda progress: None)
    assert outbox.ended_writes == 2


async def test_a_run_that_stops_asks_for_no_more_pages(run: BillRun, database: Database) -> None:
    stopped, _ = await breaking_run(run, database, breaks=False)
    pages_seen: list[int] = []

    def stop_at_second_page(progress: BillRunProgress) -> None:
        pages_seen.append(progress.bills)
        if len(pages_seen) == 2:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        await stopped.announce_bills(*MARCH, stop_at_second_page)
    assert isinstance(stopped.cycles, BreakingCycles) and stopped.cycles.cancelled == [True]
