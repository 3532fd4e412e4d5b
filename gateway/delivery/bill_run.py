"""Bill run: announce every bill of a billing cycle to its holder, once, however often it is run."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flows.domain.ports import Cycles
from flows.domain.records import Bill, Notice, Preference, Subscriber
from flows.services.bill_notices import Announcer
from storage.outbox.bulk_enqueue import SqlPosting

Page = Sequence[tuple[Bill, Subscriber]]


@dataclass(slots=True)
class Progress:
    """Counts of a bill run so far."""

    bills: int = 0
    """Bills read."""
    told: int = 0
    """Notices added to the outbox."""
    before: int = 0
    """Notices already there, from an earlier run or a BSS event; opted-out numbers count here too."""
    nobody: int = 0
    """Bills without a notice: cancelled, too old, or without a confirmed address."""
    seconds: float = 0.0
    """Time since the run began."""

    def line(self) -> str:
        """Return the progress as one line of text."""
        rate = self.told / self.seconds if self.seconds else 0.0
        return (
            f"{self.bills} bills, {self.told} notices enqueued ({rate:.0f}/s),"
            f" {self.before} known or opted out, {self.nobody} bills for nobody"
        )


@dataclass(slots=True)
class Run:
    """The bill run of one operator.

    A page is read while the one before is written; no more than that is held in memory.
    """

    operator: str
    cycles: Cycles = field(repr=False)
    announcer: Announcer = field(repr=False)
    posting: SqlPosting = field(repr=False)
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter
    """Monotonic time in seconds."""
    progress: Progress = field(default_factory=Progress)

    async def over(self, first: date, last: date, report: Callable[[Progress], None]) -> Progress:
        """Announce the bills issued from `first` to `last`, both included.

        `on_progress` is called after every page. An interrupted run is simply started again: notices already in
        the outbox are not added twice.
        """
        started_at = self.clock()
        pages = self.cycles.issued(first, last)
        writing: asyncio.Task[None] | None = None
        async for page in _each(pages):
            notices = await self._written(page)
            if writing:
                await writing
            writing = asyncio.create_task(self._posted(notices))
            self.progress.seconds = self.clock() - started_at
            report(self.progress)
        if writing:
            await writing
        self.progress.seconds = self.clock() - started_at
        return self.progress

    async def _written(self, page: Page) -> list[Notice]:
        """Build the notices of a page by each holder's preference."""
        preferences = await self.posting.chosen(self.operator, [holder.id for _, holder in page])
        now, notices = self.now(), list[Notice]()
        for bill, holder in page:
            built = self.announcer.notices(bill, holder, preferences.get(holder.id, NOTHING), now)
            self.progress.nobody += not built
            notices.extend(built)
        self.progress.bills += len(page)
        return notices

    async def _posted(self, notices: Sequence[Notice]) -> None:
        """Add the notices to the outbox and count those that are new."""
        new_count = await self.posting.post(self.operator, notices, self.now())
        self.progress.told += new_count
        self.progress.before += len(notices) - new_count


NOTHING = Preference()


async def _each(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """Yield the pages, requesting each while the one before is worked on."""
    upcoming = asyncio.ensure_future(anext(pages, None))
    while (page := await upcoming) is not None:
        upcoming = asyncio.ensure_future(anext(pages, None))
        yield page


def cycle(name: str, today: date) -> tuple[date, date]:
    """Return first and last day of a cycle `YYYY-MM`, the current month when empty; ValueError otherwise."""
    first = date.fromisoformat(f"{name}-01") if name else today.replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    return first, next_month - timedelta(days=1)
