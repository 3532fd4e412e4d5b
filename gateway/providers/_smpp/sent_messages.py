"""Sent messages: which message a delivery receipt is about, by every id an SMSC may have given it.

SMSCs answer ids in hexadecimal and report them in decimal, give every message the same id, or name it by our
own reference only. What this process sent is remembered here; older sends are found by id in the database.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import TTLCache

from flows.domain.records import OutboundMessage, Receipt
from gateway.providers._smpp.ussd_events import NAME
from gateway.smpp.wire.sms_records import DeliveryReceipt, SubmitAccepted

MAX_REMEMBERED = 50_000
"""Sent messages remembered; the oldest are forgotten first."""
REFERENCE_SECONDS = 3_600.0
"""How long our 16-bit reference names a message: it is used again after 65,535 others."""
ID_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class RememberedMessage:
    """What a receipt needs to know of a send."""

    key: str
    """The notice's idempotency key."""
    message_id: str
    """The id the send was recorded under; empty when the SMSC gave none that can be used."""
    is_last_part: bool = True


class SentMessages:
    """The messages one link sent; ids are prefixed with the operator, as two SMSCs may give the same one."""

    def __init__(self, operator: str, now: Callable[[], float] = time.monotonic) -> None:
        self._operator = operator
        self._by_id: TTLCache[str, RememberedMessage | None] = TTLCache(MAX_REMEMBERED, ID_SECONDS, now)
        self._by_reference: TTLCache[tuple[int, str], RememberedMessage] = TTLCache(
            MAX_REMEMBERED, REFERENCE_SECONDS, now
        )

    def remember(self, notice: OutboundMessage, accepted: SubmitAccepted) -> str:
        """Remember a send; return the id to record it under, empty when the SMSC gave none that can be used."""
        ids = [each for each in accepted.message_ids if _can_be_id(each) and each not in self._by_id]
        recorded = self.prefix_id(ids[-1]) if len(ids) == len(accepted.message_ids) else ""
        for number, message_id in enumerate(accepted.message_ids, 1):
            is_last = number == len(accepted.message_ids)
            known = self._by_id.get(message_id, ...)
            part = RememberedMessage(notice.key, recorded, is_last)
            self._by_id[message_id] = part if known is ... and _can_be_id(message_id) else None
        reference = (accepted.reference, _digits(notice.to))
        self._by_reference[reference] = RememberedMessage(notice.key, recorded)
        return recorded

    def prefix_id(self, message_id: str) -> str:
        """Return an id of this operator's SMSC as it is recorded."""
        return f"{self._operator}/{message_id}"

    def find(self, receipt: DeliveryReceipt) -> RememberedMessage | None:
        """Return the message of a receipt: by its ids in their order, else by reference and recipient."""
        for message_id in receipt.message_ids:
            if known := self._by_id.get(message_id):
                return known
        if receipt.reference is None:
            return None
        return self._by_reference.get((receipt.reference, _digits(receipt.recipient.number)))

    def candidates(self, receipt: DeliveryReceipt) -> Sequence[str]:
        """Return the ids an earlier process may have recorded the message under."""
        unknown = (each for each in receipt.message_ids if each not in self._by_id)
        return [self.prefix_id(each) for each in unknown if _can_be_id(each)]


def write_receipt(
    receipt: DeliveryReceipt, message: RememberedMessage | None, message_id: str
) -> Receipt | None:
    """Return the receipt as the outbox takes it; None for one of a part that says nothing of the whole.

    An earlier part that arrived does not mean that the message did; one that failed means that it did not.
    """
    if message is not None and not message.is_last_part and receipt.state != "failed":
        return None
    return Receipt(
        provider=NAME,
        message_id=message.message_id if message else message_id,
        state=receipt.state,
        raw=receipt.state,
        reason=receipt.error_code,
        our_id=message.key if message else "",
    )


def _can_be_id(message_id: str) -> bool:
    """Return whether an id can name a message: some SMSCs answer every submit with the same words."""
    return any(letter.isdigit() for letter in message_id)


def _digits(number: str) -> str:
    return number.lstrip("+0")
