"""Bounced bills: a bill whose mail came back is sent again, once, when an address is confirmed (T9)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flows.domain.actions import OperatorPorts
from flows.domain.email_registration import Registration
from flows.domain.failures import NotFound
from flows.domain.records import Bill, OutboundMessage, Preference, Subscriber
from flows.services.bill_notices import BillAnnouncer

MAX_RESENT_AGE = timedelta(days=30)
"""Older bills are not sent again: their successor is about to be."""
UNDELIVERED_STATES = frozenset({"failed", "dead"})
"""States of a mail that came back, or that the relay never took."""
RESENT_SUFFIX = "/again"
"""Ends the idempotency key of a mail that is sent again: once for each bill, whatever address is next."""


@dataclass(frozen=True, slots=True)
class BouncedBills:
    """Finds the newest bill of a line that its mail did not bring, and builds that mail anew."""

    announcer_for: Callable[[str], BillAnnouncer] = field(repr=False)
    """Returns an operator's announcer with the texts published now."""
    find_state: Callable[[str], Awaitable[str]] = field(repr=False)
    """Returns the state of the outbox message with a key; empty when there is none."""

    async def build_again(
        self, ports: OperatorPorts, registration: Registration, address: str, now: datetime
    ) -> tuple[OutboundMessage, ...]:
        """Return the mail with the newest bill to the address just confirmed; none unless its mail came back.

        The bill is read again: it may have been paid or cancelled since. Raises Unavailable.
        """
        holder = await self._current_holder(ports, registration)
        bills = await ports.billing.list_bills(registration.account, 1) if holder else ()
        if not holder or not bills or bills[0].issued < ports.today() - MAX_RESENT_AGE:
            return ()
        return await self._rebuild_mail(bills[0], holder, address, now)

    async def _current_holder(self, ports: OperatorPorts, registration: Registration) -> Subscriber | None:
        """Return the holder of the registered line; None when the line is another's now."""
        try:
            holder = await ports.billing.get_subscriber(registration.line)
        except NotFound:
            return None
        is_same = (holder.id, holder.account) == (registration.subscription, registration.account)
        return replace(holder, media="email") if is_same else None

    async def _rebuild_mail(
        self, bill: Bill, holder: Subscriber, address: str, now: datetime
    ) -> tuple[OutboundMessage, ...]:
        announcer = self.announcer_for(holder.operator)
        confirmed = Preference(notify="email", email=address, email_validated=True)
        mails = [
            each
            for each in announcer.build_notices(bill, holder, confirmed, now)
            if each.route == "email" and await self.find_state(each.key) in UNDELIVERED_STATES
        ]
        return tuple(replace(mail, key=f"{mail.key}{RESENT_SUFFIX}") for mail in mails)
