"""Bill run: announce every bill of a billing cycle to its holder, once, however often it is run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flows.domain.bill_cycle import CyclePage, RejectedBill
from flows.domain.ports import BillingCycles
from flows.domain.records import OutboundMessage, Preference
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.bill_rehearsal import BulkNotices
from gateway.delivery.page_pipeline import run_pages

MAX_LISTED_REJECTIONS = 10_000
"""Unusable bills kept by name; more are only counted."""


@dataclass(slots=True)
class BillRunProgress:
    """Counts of a bill run so far."""

    bills: int = 0
    """Bills read."""
    expected_bills: int | None = None
    """Bills of the cycle, where the backend counts them."""
    enqueued_count: int = 0
    """Notices added to the outbox."""
    known_count: int = 0
    """Notices already there, from an earlier run or a BSS event; opted-out numbers count here too."""
    skipped_bills: int = 0
    """Bills without a notice: too old, refused by rule, no confirmed address."""
    without_holder: int = 0
    """Bills of accounts without a current line."""
    rejected_count: int = 0
    """Bills left out because their record, or their holder's, cannot be used."""
    rejected: list[RejectedBill] = field(default_factory=list, repr=False)
    """The first of them, with the reason."""
    seconds: float = 0.0
    """Time since the run began."""

    def format_line(self) -> str:
        """Return the progress as one line of text."""
        rate = self.enqueued_count / self.seconds if self.seconds else 0.0
        return (
            f"{self.bills} bills, {self.enqueued_count} notices enqueued ({rate:.0f}/s),"
            f" {self.known_count} known or opted out, {self.skipped_bills} bills without a notice,"
            f" {self.without_holder} without a line, {self.rejected_count} unusable"
        )

    def list_rejections(self) -> list[str]:
        """Return a line for each unusable bill: its id and what is wrong with it."""
        listed = [f"left out: bill {each.bill_id or '(no id)'}: {each.reason}" for each in self.rejected]
        more = self.rejected_count - len(self.rejected)
        return [*listed, f"left out: {more} more"] if more else listed

    def count_page(self, page: CyclePage) -> None:
        """Count the bills of a page and keep the names of those that cannot be used."""
        self.bills += len(page) + len(page.rejected) + page.without_holder
        self.expected_bills = page.expected_bills and max(page.expected_bills, self.bills)
        self.without_holder += page.without_holder
        self.rejected_count += len(page.rejected)
        self.rejected += page.rejected[: MAX_LISTED_REJECTIONS - len(self.rejected)]


@dataclass(slots=True)
class BillRun:
    """The bill run of one operator; no more than three pages of bills are held in memory."""

    operator: str
    cycles: BillingCycles = field(repr=False)
    announcer: BillAnnouncer = field(repr=False)
    bulk_outbox: BulkNotices = field(repr=False)
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter
    """Monotonic time in seconds."""
    progress: BillRunProgress = field(default_factory=BillRunProgress)

    async def announce_bills(
        self, first: date, last: date, on_progress: Callable[[BillRunProgress], None]
    ) -> BillRunProgress:
        """Announce the bills issued from `first` to `last`, both included.

        `on_progress` is called after every page. An interrupted run is simply started again: notices already in
        the outbox are not added twice.
        """
        started_at = self.clock()

        def report() -> None:
            self.progress.seconds = self.clock() - started_at
            on_progress(self.progress)

        pages = self.cycles.list_issued_bills(first, last)
        await run_pages(pages, self._build_notices, self._enqueue_notices, report)
        self.progress.seconds = self.clock() - started_at
        return self.progress

    async def _build_notices(self, page: CyclePage) -> list[OutboundMessage]:
        """Build the notices of a page by each holder's preference."""
        preferences = await self.bulk_outbox.load_preferences(self.operator, [holder.id for _, holder in page])
        now, notices = self.now(), list[OutboundMessage]()
        for bill, holder in page:
            built = self.announcer.build_notices(bill, holder, preferences.get(holder.id, NO_PREFERENCE), now)
            self.progress.skipped_bills += not built
            notices.extend(built)
        self.progress.count_page(page)
        return notices

    async def _enqueue_notices(self, notices: Sequence[OutboundMessage]) -> None:
        """Add the notices to the outbox and count those that are new."""
        new_count = await self.bulk_outbox.enqueue_notices(self.operator, notices, self.now())
        self.progress.enqueued_count += new_count
        self.progress.known_count += len(notices) - new_count


NO_PREFERENCE = Preference()


def parse_cycle(name: str, today: date) -> tuple[date, date]:
    """Return first and last day of a cycle `YYYY-MM`, the current month when empty; ValueError otherwise."""
    first = date.fromisoformat(f"{name}-01") if name else today.replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    return first, next_month - timedelta(days=1)
