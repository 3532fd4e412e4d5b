"""Thrift: a sender that texts no foreign prefix and spends no more than the day allows."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.failures import Rejected, Undelivered
from flows.domain.records import Notice
from gateway.delivery.route import BulkSender
from gateway.providers.contract import Sender, Sent
from menus.text.gsm import segments
from storage.outbox.sms_spend import SqlSpending

log = logging.getLogger("dialtree.delivery")


@dataclass(slots=True)
class Thrift:
    """In front of a sender; what it refuses is dead in the outbox, to be replayed by a person."""

    inner: Sender = field(repr=False)
    operator: str
    prefixes: tuple[str, ...]
    now: Callable[[], datetime]
    spending: SqlSpending | None = field(default=None, repr=False)
    """None for no cap."""

    @property
    def most(self) -> int:
        """Calls the sender bears at once; AttributeError when it does not say."""
        return int(self.inner.most)  # type: ignore[attr-defined]

    async def send(self, notice: Notice) -> Sent:
        """Send; Rejected for a prefix that is not ours to pay for, or when the day's parts are used up."""
        await self._allow(notice)
        return await self.inner.send(notice)

    async def close(self) -> None:
        """Give back what the sender holds."""
        await self.inner.close()

    async def _allow(self, notice: Notice) -> None:
        if not notice.to.startswith(self.prefixes):
            raise Rejected("a prefix we do not text")
        if self.spending and not await self.spending.take(segments(notice.body), self.now()):
            log.error("the day's messages are used up", extra={"operator": self.operator})
            raise Rejected("the day's messages are used up")


@dataclass(slots=True)
class BulkThrift(Thrift):
    """The same in front of a sender that takes many at once."""

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        """Those that may go, in one call; the outcomes in the notices' order."""
        outcomes: list[Sent | Undelivered | None] = []
        for notice in notices:
            try:
                await self._allow(notice)
                outcomes.append(None)
            except Rejected as rejected:
                outcomes.append(rejected)
        going = [notice for notice, told in zip(notices, outcomes, strict=True) if told is None]
        sender = self.inner
        sent = iter(await sender.send_many(going) if going and isinstance(sender, BulkSender) else [])
        return [next(sent) if told is None else told for told in outcomes]


def thrifty(
    sender: Sender,
    operator: str,
    prefixes: tuple[str, ...],
    now: Callable[[], datetime],
    spending: SqlSpending | None,
) -> Sender:
    """The sender behind its limits."""
    kind = BulkThrift if isinstance(sender, BulkSender) else Thrift
    return kind(sender, operator, prefixes, now, spending)
