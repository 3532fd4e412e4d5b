"""Support tickets: what a subscriber asked the operator's staff, and what they answered (F13, R10)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flows.domain.trace_scope import current_trace_parent

TicketState = Literal["open", "answered", "closed"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A support ticket that the operator's staff must answer."""

    reference: str
    """Reference given to the subscriber for later enquiries."""
    kind: str
    """What is asked: `contest` (a bill is disputed), `callback` (a call), `address` (for paper bills)."""
    bill_id: str
    bill_line_id: str = ""
    """Id of the disputed bill line; empty for the whole bill."""
    channel: str = ""
    bill_number: str = ""
    number: str = field(default="", repr=False)
    """Phone (E.164) that asked: it is called back, and the answer goes there."""
    language: str = ""
    detail: str = field(default="", repr=False)
    """What the subscriber wrote, if anything."""
    event_body: str = field(default="", repr=False)
    """JSON sent to the operator's help desk; empty when the operator has none."""
    trace_parent: str = field(default_factory=current_trace_parent, repr=False, compare=False)
    """W3C `traceparent` of the turn that opened it: the event's delivery links to it."""


@dataclass(frozen=True, slots=True)
class TicketChange:
    """A change of a stored ticket by the operator's staff."""

    reference: str
    state: TicketState
    answer: str = field(default="", repr=False)
    """The answer sent to the subscriber; empty leaves the stored answer as it is."""


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket as it is stored, for the operator's staff."""

    reference: str
    subscription: str = field(repr=False)
    kind: str
    bill_id: str
    bill_line_id: str
    channel: str
    bill_number: str
    number: str = field(repr=False)
    language: str
    detail: str = field(repr=False)
    state: TicketState
    answer: str = field(repr=False)
    opened_at: datetime
    desk_state: str = ""
    """State of the event to the help desk, as the outbox names it; empty when none was enqueued."""
