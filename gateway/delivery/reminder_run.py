"""Reminder run: plan today's reminders of all unpaid bills, once, however often it is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flows.domain.ports import BillingCycles, Ledger
from flows.domain.records import ChangeSet, DeferredStep
from flows.payments.reminders import ReminderPlanner

LONGEST_TERM = timedelta(days=62)
"""Longest time between a bill's issue and its due date."""


@dataclass(slots=True)
class ReminderRunProgress:
    """Counts of a reminder run so far."""

    bills: int = 0
    """Bills read."""
    planned: int = 0
    """Reminders the schedule has for today; one planned before counts, too, and is not sent twice."""


@dataclass(slots=True)
class ReminderRun:
    """The reminder run of one operator; no more than a page of bills is held in memory."""

    operator: str
    cycles: BillingCycles = field(repr=False)
    planner: ReminderPlanner = field(repr=False)
    ledger: Ledger = field(repr=False)
    now: Callable[[], datetime]
    progress: ReminderRunProgress = field(default_factory=ReminderRunProgress)

    async def plan_reminders(
        self, today: date, on_progress: Callable[[ReminderRunProgress], None]
    ) -> ReminderRunProgress:
        """Plan the reminders of today, a page of bills at a time; raises Unavailable, then run it again."""
        rules = self.planner.menu.config.rules.reminders
        if rules is None:
            return self.progress
        first = today - LONGEST_TERM - timedelta(days=max(rules.overdue, default=0))
        async for page in self.cycles.list_issued_bills(first, today):
            planned = [self.planner.plan_reminder(bill, holder, self.now()) for bill, holder in page]
            await self._commit_steps([each for each in planned if each])
            self.progress.bills += len(page)
            on_progress(self.progress)
        return self.progress

    async def _commit_steps(self, steps: Sequence[DeferredStep]) -> None:
        """Enqueue a page's reminders; the outbox takes each key once."""
        if not steps:
            return
        page = self.planner.pseudonyms.keyed_hash(self.operator, *(each.key for each in steps))
        change = ChangeSet(f"reminders/{page}", self.operator, "", self.now(), deferred_steps=tuple(steps))
        await self.ledger.commit(change)
        self.progress.planned += len(steps)
