"""The billing-day run: every bill of a cycle announced to its holder, once, however often it is run."""

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
    """How far a run has come."""

    bills: int = 0
    """Bills read."""
    told: int = 0
    """Notices that were not in the outbox before."""
    before: int = 0
    """Notices that were: an earlier run, an event of the BSS. Opted-out numbers count here too."""
    nobody: int = 0
    """Bills nobody is told of: cancelled, too old, or without a confirmed address."""
    seconds: float = 0.0

    def line(self) -> str:
        """The progress in one line."""
        rate = self.told / self.seconds if self.seconds else 0.0
        return (
            f"{self.bills} bills, {self.told} notices enqueued ({rate:.0f}/s),"
            f" {self.before} known or opted out, {self.nobody} bills for nobody"
        )


@dataclass(slots=True)
class Run:
    """One operator's run. A page is read while the one before is written; no more than that is held."""

    operator: str
    cycles: Cycles = field(repr=False)
    announcer: Announcer = field(repr=False)
    posting: SqlPosting = field(repr=False)
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter
    progress: Progress = field(default_factory=Progress)

    async def over(self, first: date, last: date, report: Callable[[Progress], None]) -> Progress:
        """Announce the bills issued between two days, both included; `report` hears of every page.

        Stopped half-way it is simply run again: what is in the outbox is not put there twice.
        """
        began = self.clock()
        pages = self.cycles.issued(first, last)
        writing: asyncio.Task[None] | None = None
        async for page in _each(pages):
            notices = await self._written(page)
            if writing:
                await writing
            writing = asyncio.create_task(self._posted(notices))
            self.progress.seconds = self.clock() - began
            report(self.progress)
        if writing:
            await writing
        self.progress.seconds = self.clock() - began
        return self.progress

    async def _written(self, page: Page) -> list[Notice]:
        """The notices of a page by each holder's choice."""
        chosen = await self.posting.chosen(self.operator, [holder.id for _, holder in page])
        now, notices = self.now(), list[Notice]()
        for bill, holder in page:
            told = self.announcer.notices(bill, holder, chosen.get(holder.id, NOTHING), now)
            self.progress.nobody += not told
            notices.extend(told)
        self.progress.bills += len(page)
        return notices

    async def _posted(self, notices: Sequence[Notice]) -> None:
        new = await self.posting.post(self.operator, notices, self.now())
        self.progress.told += new
        self.progress.before += len(notices) - new


NOTHING = Preference()


async def _each(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The pages, each asked for while the one before is worked on."""
    coming = asyncio.ensure_future(anext(pages, None))
    while (page := await coming) is not None:
        coming = asyncio.ensure_future(anext(pages, None))
        yield page


def cycle(name: str, today: date) -> tuple[date, date]:
    """First and last day of a cycle `YYYY-MM`, this month's when empty; ValueError for anything else."""
    first = date.fromisoformat(f"{name}-01") if name else today.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return first, following - timedelta(days=1)
