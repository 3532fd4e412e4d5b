"""SMS over SMPP: reads a deliver_sm as an event, writes a notice as a submit_sm, sorts outcomes."""

from collections.abc import Mapping
from datetime import datetime

from flows.domain.failures import (
    LinkBusy,
    Misconfigured,
    OptedOut,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage
from flows.engine.inbound import Inbound
from gateway.providers._shared.numbers import read_caller
from gateway.providers._smpp.ussd_events import INTERNATIONAL_TON, NAME
from gateway.providers.contract import Connection
from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.sms_records import (
    IncomingMessage,
    NotSubmitted,
    OutgoingMessage,
    StatusKind,
    SubmitAccepted,
    SubmitOutcome,
    SubmitRefused,
)

ISDN_NPI = 1
REFUSALS: Mapping[StatusKind, type[Undelivered]] = {
    "ours": Misconfigured,
    "recipient": Rejected,
    "opted_out": OptedOut,
    "temporary": TryLater,
}
"""Failures by whose fault a status is."""


def read_sms(message: IncomingMessage, connection: Connection, request_id: str) -> Inbound:
    """Read a text to the short code; its sender is no number where letters or another short code wrote it."""
    number = message.source.number
    written = f"+{number.removeprefix('+')}" if message.source.ton == INTERNATIONAL_TON else number
    return Inbound(
        provider=NAME,
        channel="sms",
        operator=connection.operator,
        session_id="",
        caller=read_caller(written, connection.numbering),
        address=connection.addresses.get("sms", ""),
        text=message.text,
        request_id=request_id,
        inline=False,
        trust=connection.trust.get("sms", "none"),
    )


def write_sms(notice: OutboundMessage, source: SmppAddress, now: datetime) -> OutgoingMessage:
    """Write a notice; it is worth nothing to its reader after it expires, which the SMSC is told."""
    return OutgoingMessage(
        destination=SmppAddress(notice.to.removeprefix("+"), INTERNATIONAL_TON, ISDN_NPI),
        text=notice.body,
        source=source,
        wants_receipt=True,
        validity_period=_validity(notice, now),
    )


def _validity(notice: OutboundMessage, now: datetime) -> str:
    """Return the rest of a notice's time as a relative time (SMPP 3.4, 7.1.1.2); empty without an expiry."""
    if notice.expires_at is None:
        return ""
    seconds = max(int((notice.expires_at - now).total_seconds()), 1)
    days, rest = divmod(seconds, 86_400)
    if days > MAX_VALIDITY_DAYS:
        return ""
    hours, rest = divmod(rest, 3_600)
    return f"0000{days:02}{hours:02}{rest // 60:02}{rest % 60:02}000R"


MAX_VALIDITY_DAYS = 30
"""Longest relative time: a month has no fixed number of days."""


def require_accepted(outcome: SubmitOutcome) -> SubmitAccepted:
    """Return an accepted outcome; raise the failure any other one is."""
    if isinstance(outcome, SubmitAccepted):
        return outcome
    if isinstance(outcome, SubmitRefused):
        raise REFUSALS[outcome.kind](outcome.name)
    if isinstance(outcome, NotSubmitted):
        if outcome.reason == "unsendable":
            raise Rejected("a field is too long for SMPP")
        raise LinkBusy(f"the link is {outcome.reason}")
    raise OutcomeUnknown(outcome.reason)
