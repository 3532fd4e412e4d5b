"""SMS spend limit: destination-prefix allow-list and daily cap on message parts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.failures import Rejected, Undelivered
from flows.domain.records import OutboundMessage
from gateway.delivery.route import BulkSender
from gateway.providers.contract import Sender, SentMessage
from menus.text.gsm import count_segments
from storage.outbox.sms_spend import SqlSpendCounter

log = logging.getLogger("dialtree.delivery")


@dataclass(slots=True)
class SpendLimiter:
    """Wraps a sender; rejects other prefixes and messages over the daily cap (state `dead`, replay by hand)."""

    sender: Sender = field(repr=False)
    operator: str
    allowed_prefixes: tuple[str, ...]
    now: Callable[[], datetime]
    daily_spend: SqlSpendCounter | None = field(default=None, repr=False)
    """Parts used today; None for no cap."""

    @property
    def max_concurrent_calls(self) -> int:
        """Concurrent calls the wrapped sender allows; AttributeError when it does not say."""
        return int(self.sender.max_concurrent_calls)  # type: ignore[attr-defined]

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send; Rejected for a prefix that is not allowed, or when the day's parts are used up."""
        await self._check_allowed(notice)
        return await self.sender.send(notice)

    async def close(self) -> None:
        """Close the wrapped sender."""
        await self.sender.close()

    async def _check_allowed(self, notice: OutboundMessage) -> None:
        """Set the notice's parts aside for today; Rejected when it must not be sent."""
        if not notice.to.startswith(self.allowed_prefixes):
            raise Rejected("destination prefix not allowed")
        if self.daily_spend and not await self.daily_spend.reserve_parts(
            count_segments(notice.body), self.now()
        ):
            log.error("spend_limit.daily_cap_reached", extra={"operator": self.operator})
            raise Rejected("the day's messages are used up")


@dataclass(slots=True)
class BulkSpendLimiter(SpendLimiter):
    """The same in front of a sender that supports bulk calls."""

    async def send_many(self, notices: Sequence[OutboundMessage]) -> list[SentMessage | Undelivered]:
        """Send the allowed notices in one call; return the outcomes in the notices' order."""
        outcomes: list[SentMessage | Undelivered | None] = []
        for notice in notices:
            try:
                await self._check_allowed(notice)
                outcomes.append(None)
            except Rejected as rejected:
                outcomes.append(rejected)
        allowed = [notice for notice, outcome in zip(notices, outcomes, strict=True) if outcome is None]
        sender = self.sender
        sent = iter(await sender.send_many(allowed) if allowed and isinstance(sender, BulkSender) else [])
        return [next(sent) if outcome is None else outcome for outcome in outcomes]


def limit_spending(
    sender: Sender,
    operator: str,
    allowed_prefixes: tuple[str, ...],
    now: Callable[[], datetime],
    daily_spend: SqlSpendCounter | None,
) -> Sender:
    """Wrap the sender in its limits, keeping its support for bulk calls."""
    kind = BulkSpendLimiter if isinstance(sender, BulkSender) else SpendLimiter
    return kind(sender, operator, allowed_prefixes, now, daily_spend)
