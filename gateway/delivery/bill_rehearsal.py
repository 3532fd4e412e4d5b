"""Rehearsal of a bill run: what it would send, counted and sampled; nothing is enqueued."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from flows.domain.records import OutboundMessage, Preference
from menus.text.gsm import count_segments
from menus.text.masking import mask_recipient

MAX_SAMPLES = 10
"""Sample texts kept, of different routes and languages as far as there are any."""
SAMPLES_OF_A_KIND = 3
MessageKind = tuple[str, str]
"""Route and language."""


class BulkNotices(Protocol):
    """What the notices of a bill run are given to."""

    async def load_preferences(self, operator: str, subscriptions: Sequence[str]) -> Mapping[str, Preference]:
        """Return the preferences of subscriptions by id."""

    async def enqueue_notices(self, operator: str, notices: Sequence[OutboundMessage], at: datetime) -> int:
        """Take an operator's notices; return how many are new."""


class NoticeFinder(BulkNotices, Protocol):
    """An outbox that can also tell which notices would be new."""

    async def find_new(self, operator: str, notices: Sequence[OutboundMessage]) -> list[OutboundMessage]:
        """Return the notices that are not in the outbox and whose recipients have not opted out."""


@dataclass(slots=True)
class BillRehearsal:
    """Stands in for the outbox in a bill run and keeps what would have been enqueued."""

    outbox: NoticeFinder = field(repr=False)
    messages: Counter[MessageKind] = field(default_factory=Counter)
    sms_parts: Counter[MessageKind] = field(default_factory=Counter)
    """Parts the operator pays for; none for e-mail."""
    samples: list[OutboundMessage] = field(default_factory=list, repr=False)

    async def load_preferences(self, operator: str, subscriptions: Sequence[str]) -> Mapping[str, Preference]:
        """Return the preferences of subscriptions by id."""
        return await self.outbox.load_preferences(operator, subscriptions)

    async def enqueue_notices(self, operator: str, notices: Sequence[OutboundMessage], at: datetime) -> int:
        """Count the notices that would be new and return how many there are."""
        new = await self.outbox.find_new(operator, notices)
        for notice in new:
            self._count_message(notice)
        return len(new)

    def _count_message(self, notice: OutboundMessage) -> None:
        kind = (notice.route, notice.language)
        self.messages[kind] += 1
        if notice.route == "sms":
            self.sms_parts[kind] += count_segments(notice.body)
        if len(self.samples) < MAX_SAMPLES and self.messages[kind] <= SAMPLES_OF_A_KIND:
            self.samples.append(notice)

    def report_lines(self) -> Iterator[str]:
        """Yield counts by route and language, the parts to be paid for, and the samples, recipients masked."""
        for route, language in sorted(self.messages):
            kind = (route, language)
            parts = f", {self.sms_parts[kind]} parts" if route == "sms" else ""
            yield f"{route} in {language}: {self.messages[kind]} messages{parts}"
        for notice in self.samples:
            where = f"{notice.route} in {notice.language} to {mask_recipient(notice.to)}"
            yield f"-- {where}{': ' + notice.subject if notice.subject else ''}"
            yield notice.body
