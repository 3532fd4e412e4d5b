"""SMS spend limit: destination-prefix allow-list and daily cap on message parts."""

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
    """Wraps a sender; rejects other prefixes and messages over the daily cap (state `dead`, replay by hand)."""

    inner: Sender = field(repr=False)
    operator: str
    prefixes: tuple[str, ...]
    now: Callable[[], datetime]
    spending: SqlSpending | None = field(default=None, repr=False)
    """Parts used today; None for no cap."""

    @property
    def max_concurrent_calls(self) -> int:
        """Concurrent calls the wrapped sender allows; AttributeError when it does not say."""
        return int(self.inner.max_concurrent_calls)  # type: ignore[attr-defined]

    async def send(self, notice: Notice) -> Sent:
        """Send; Rejected for a prefix that is not allowed, or when the day's parts are used up."""
        await self._allow(notice)
        return await self.inner.send(notice)

    async def close(self) -> None:
        """Close the wrapped sender."""
        await self.inner.close()

    async def _allow(self, notice: Notice) -> None:
        """Set the notice's parts aside for today; Rejected when it must not be sent."""
        if not notice.to.startswith(self.prefixes):
            raise Rejected("destination prefix not allowed")
        if self.spending and not await self.spending.take(segments(notice.body), self.now()):
            log.error("spend_limit.daily_cap_reached", extra={"operator": self.operator})
            raise Rejected("the day's messages are used up")


@dataclass(slots=True)
class BulkThrift(Thrift):
    """The same in front of a sender that supports bulk calls."""

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        """Send the allowed notices in one call; return the outcomes in the notices' order."""
        outcomes: list[Sent | Undelivered | None] = []
        for notice in notices:
            try:
                await self._allow(notice)
                outcomes.append(None)
            except Rejected as rejected:
                outcomes.append(rejected)
        allowed = [notice for notice, outcome in zip(notices, outcomes, strict=True) if outcome is None]
        sender = self.inner
        sent = iter(await sender.send_many(allowed) if allowed and isinstance(sender, BulkSender) else [])
        return [next(sent) if outcome is None else outcome for outcome in outcomes]


def thrifty(
    sender: Sender,
    operator: str,
    prefixes: tuple[str, ...],
    now: Callable[[], datetime],
    spending: SqlSpending | None,
) -> Sender:
    """Wrap the sender in its limits, keeping its support for bulk calls."""
    kind = BulkThrift if isinstance(sender, BulkSender) else Thrift
    return kind(sender, operator, prefixes, now, spending)
