"""Billing cycle reading: pair bills with their holders; one unusable record never stops the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flows.domain.bill_cycle import CyclePage, RejectedBill
from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import Failure, InvalidRecord, NotFound, Unavailable
from flows.domain.records import Bill, Subscriber
from storage.billing._client.answer_fields import clean_text, identifier_text

T = TypeVar("T")
R = TypeVar("R")
MAX_CONCURRENT_READS = 20
"""Records read at a time, so that a billing run leaves the BSS to its subscribers."""
MAX_FAILED_READS = 5
"""Reads that fail one after the other, each twice: the BSS is out, and the run stops."""


def parse_records(
    records: Iterable[T], parse: Callable[[T], Bill | None], identify: Callable[[T], object]
) -> tuple[list[Bill], list[RejectedBill]]:
    """Parse each record; return the bills (None is skipped) and the records that cannot be used."""
    bills, rejected = list[Bill](), list[RejectedBill]()
    for record in records:
        try:
            bill = parse(record)
        except InvalidRecord as failure:
            rejected.append(reject_record(identify(record), failure))
            continue
        if bill:
            bills.append(bill)
    return bills, rejected


def reject_record(bill_id: object, failure: Failure) -> RejectedBill:
    """Return the note of a record that cannot be used."""
    return RejectedBill(clean_text(identifier_text(bill_id), 64), str(failure))


@dataclass(slots=True)
class CycleReader:
    """Reads what belongs to each bill of a cycle, concurrently, and tells bad records from an outage."""

    failed_reads: int = field(default=0, init=False)
    """Reads that failed since the last that did not."""

    async def read_each(self, records: Sequence[T], read: Callable[[T], Awaitable[R]]) -> list[R | Failure]:
        """Return each record's answer or failure, in order. Raises Unavailable when billing is out.

        What fails is asked once more when the others are done.
        """
        limit = ConcurrencyLimit(MAX_CONCURRENT_READS, max_waiting=len(records))

        async def read_one(record: T) -> R | Failure:
            async with limit:
                return await _answer_or_failure(read(record))

        answers = list(await asyncio.gather(*map(read_one, records)))
        for place, answer in enumerate(answers):
            if _is_outage(answer):
                answers[place] = await _answer_or_failure(read(records[place]))
            self._count_outcome(answers[place])
        return answers

    async def read_bills(
        self,
        listed: Sequence[T],
        read: Callable[[T], Awaitable[R]],
        parse: Callable[[R], Bill | None],
        identify: Callable[[T | R], object],
    ) -> tuple[list[Bill], list[RejectedBill]]:
        """Read each listed record in whole; return its bills, and the records that cannot be used."""
        answers = await self.read_each(listed, read)
        unread = [
            reject_record(identify(record), answer)
            for record, answer in zip(listed, answers, strict=True)
            if isinstance(answer, Failure)
        ]
        whole = [answer for answer in answers if not isinstance(answer, Failure)]
        bills, rejected = parse_records(whole, parse, identify)
        return bills, unread + rejected

    async def pair_with_holders(
        self, bills: Sequence[Bill], find_holder: Callable[[str], Awaitable[Subscriber]]
    ) -> CyclePage:
        """Pair each bill with its account's holder; say which cannot be used, and how many have none."""
        holders = await self.read_each(bills, lambda bill: find_holder(bill.account))
        answers = list(zip(bills, holders, strict=True))
        rejected = [
            reject_record(bill.id, holder)
            for bill, holder in answers
            if isinstance(holder, Failure) and not isinstance(holder, NotFound)
        ]
        pairs = [(bill, holder) for bill, holder in answers if isinstance(holder, Subscriber)]
        return CyclePage(pairs, rejected, sum(isinstance(holder, NotFound) for holder in holders))

    def _count_outcome(self, answer: object) -> None:
        """Count failed reads in a row; raise the failure when there are too many."""
        self.failed_reads = self.failed_reads + 1 if _is_outage(answer) else 0
        if self.failed_reads >= MAX_FAILED_READS and isinstance(answer, Failure):
            raise answer


def _is_outage(answer: object) -> bool:
    return isinstance(answer, Unavailable) and not isinstance(answer, InvalidRecord)


async def _answer_or_failure(call: Awaitable[T]) -> T | Failure:
    try:
        return await call
    except Failure as failure:
        return failure
