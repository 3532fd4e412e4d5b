"""Reminder run: plan today's reminders of bills and instalments, once, however often it is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flows.domain.bill_cycle import CyclePage
from flows.domain.failures import Refused
from flows.domain.ports import BillingCycles
from flows.domain.promise_records import PaymentPromise, PaymentPromises
from flows.domain.records import DeferredStep
from flows.payments.reminder_planning import ReminderPlanner
from gateway.delivery.page_pipeline import run_pages
from storage.outbox.bulk_enqueue import SqlBulkOutbox

LONGEST_TERM = timedelta(days=62)
"""Longest time between a bill's issue and its due date."""
PLANS_PER_PAGE = 500
"""Promises in parts read at once."""


@dataclass(slots=True)
class ReminderRunProgress:
    """Counts of a reminder run so far."""

    bills: int = 0
    """Bills read."""
    plans: int = 0
    """Promises in parts read."""
    planned: int = 0
    """Reminders the schedule has for today; one planned before counts, too, and is not sent twice."""


@dataclass(slots=True)
class ReminderRun:
    """The reminder run of one operator; no more than three pages are held in memory."""

    operator: str
    cycles: BillingCycles = field(repr=False)
    planner: ReminderPlanner = field(repr=False)
    bulk_outbox: SqlBulkOutbox = field(repr=False)
    promises: PaymentPromises | None = field(repr=False)
    now: Callable[[], datetime]
    progress: ReminderRunProgress = field(default_factory=ReminderRunProgress)

    async def plan_reminders(
        self, today: date, on_progress: Callable[[ReminderRunProgress], None]
    ) -> ReminderRunProgress:
        """Plan the reminders of today, a page at a time; raises Unavailable, then run it again."""
        rules = self.planner.menu.config.rules.reminders
        if rules is None:
            return self.progress
        first = today - timedelta(days=max(rules.overdue, default=0))
        await self._plan_instalments(first, on_progress)
        pages = self.cycles.list_issued_bills(first - LONGEST_TERM, today)
        await run_pages(pages, self._plan_page, self._enqueue_steps, lambda: on_progress(self.progress))
        return self.progress

    async def _plan_page(self, page: CyclePage) -> Sequence[DeferredStep]:
        """Return the reminders that the bills of a page have today."""
        now = self.now()
        self.progress.bills += len(page)
        planned = (self.planner.plan_reminder(bill, holder, now) for bill, holder in page)
        return [each for each in planned if each]

    async def _plan_instalments(self, first: date, on_progress: Callable[[ReminderRunProgress], None]) -> None:
        """Plan the reminders of the promises in parts that end on `first` or later."""
        after = ""
        while page := await self._list_plans(first, after):
            await self._enqueue_steps([step for each in page for step in await self._plan_parts(each)])
            self.progress.plans += len(page)
            on_progress(self.progress)
            after = page[-1].id

    async def _list_plans(self, first: date, after: str) -> Sequence[PaymentPromise]:
        if self.promises is None:
            return ()
        return await self.promises.list_plans(self.operator, first, after, PLANS_PER_PAGE)

    async def _plan_parts(self, promise: PaymentPromise) -> Sequence[DeferredStep]:
        """Return the reminders of a promise's parts; billing is asked for the holder when there are any."""
        now = self.now()
        parts = list(self.planner.find_instalments(promise, now))
        if not parts:
            return ()
        try:
            holder = await self.cycles.get_account_holder(promise.account)
        except Refused:
            return ()
        return [self.planner.plan_instalment(promise, *each, holder, now) for each in parts]

    async def _enqueue_steps(self, steps: Sequence[DeferredStep]) -> None:
        """Enqueue a page's reminders; the outbox takes each key once."""
        await self.bulk_outbox.enqueue_steps(self.operator, steps, self.now())
        self.progress.planned += len(steps)
