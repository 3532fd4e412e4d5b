"""Domain records: frozen values that cross the ports (subscriber, bill, message, change set...)."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from flows.domain.bill_delivery import BillMedia
from flows.domain.email_registration import EmailState, Registration
from flows.domain.promise_records import PaymentPromise
from flows.domain.ticket_records import Ticket, TicketChange
from flows.domain.trace_scope import current_trace_parent
from menus.packfile.field_types import LineKind as LineKind

ReceiptState = Literal["in_transit", "delivered", "failed", "unknown"]
BillState = Literal["due", "part", "overdue", "paid", "credit", "cancelled"]
LinkPurpose = Literal["address", "mailbox", "email", "bill", "file", "pay"]
EntryType = Literal["usage", "purchases"]
AccountCapability = Literal["history", "unbilled", "meter", "services", "debits", "promises"]
Capability = Literal["usage", "purchases", "documents", "payments", "live_list", "charges", AccountCapability]
MessageClass = Literal["code", "reply", "notice", "ticket", "campaign"]
"""In sending order. After an unknown outcome a `code` is never re-sent, `notice` and `ticket` at most once."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret string that repr, str, logs and error messages never show."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription at the billing backend. Data is bound to the subscription, not to its phone number."""

    id: str
    """Subscription id at the billing backend."""
    operator: str
    msisdn: str = field(repr=False)
    account: str = field(repr=False)
    name: str = field(repr=False)
    kind: LineKind
    segment: Literal["residential", "business"]
    language: str
    since: date
    """First day of the subscription; when it changes, the number has a new owner."""
    email: str = field(default="", repr=False)
    email_validated: bool = False
    address: str = field(default="", repr=False)
    sim_changed_at: datetime | None = field(default=None, repr=False)
    """Last SIM swap or number port (UTC); None when the backend does not report it."""
    siret: str = field(default="", repr=False)
    account_number: str = field(default="", repr=False)
    """Account number printed on bills; empty when it equals `account`."""
    media: BillMedia = "paper"


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill. Amounts are in the operator's currency, tax included unless the field says otherwise."""

    id: str
    number: str
    account: str = field(repr=False)
    issued: date
    due: date
    total: Decimal
    tax: Decimal
    remaining: Decimal
    state: BillState
    as_of: date | None = None
    """Day the backend last reported this, when it is down and the answer is cached; None when current."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One charge line of a bill's detail."""

    rubric: str
    """Charge category, as the text catalogue names it: `subscriptions`, `roaming`... (`rubrics.py`)."""
    user: str = field(repr=False)
    amount: Decimal
    id: str = ""
    label: str = field(default="", repr=False)
    centre: str = ""
    """Billing centre of a business account, e.g. `CF-100-A`."""
    days: int = 0
    of_days: int = 0
    """Pro-rata month: `days` charged of `of_days`; both 0 for whole months."""


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """One usage record (`call`, `data`, `text`) or one purchase on the bill (`kind` is its category)."""

    at: date
    kind: str
    amount: Decimal
    label: str = field(default="", repr=False)
    quantity: int = 0
    user: str = field(default="", repr=False)
    """Number of the line; empty when billing does not say."""
    centre: str = ""


@dataclass(frozen=True, slots=True)
class BillDocument:
    """The issuer's document of a bill, byte for byte, with its hash, format and file name suffix."""

    data: bytes = field(repr=False)
    sha256: str
    format: str
    platform: str = ""
    """Platform that holds the legal original, when this is a copy."""
    suffix: str = "pdf"


@dataclass(frozen=True, slots=True)
class Preference:
    """A subscriber's preferences stored by the gateway; an empty field was never chosen."""

    language: str = ""
    notify: Literal["", "sms", "email", "both"] = ""
    email: str = field(default="", repr=False)
    email_validated: bool = False
    address: str = field(default="", repr=False)
    email_state: EmailState = ""
    """What became of the mails to `email`; a newly chosen or validated address has none yet."""
    notify_number: str = field(default="", repr=False)
    """Phone (E.164) that gets notices by SMS; empty for the line's own."""

    @property
    def is_email_usable(self) -> bool:
        """Return whether the address is validated and mails to it do not bounce."""
        return self.email_validated and self.email_state != "bounced"


@dataclass(frozen=True, slots=True)
class Consent:
    """One entry of the append-only consent record."""

    purpose: str
    is_given: bool
    text_name: str
    """Catalogue name of the text agreed to."""
    language: str
    channel: str
    proof: str
    """How the subscriber was authenticated: `line`, `code`..."""


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message for the outbox."""

    key: str  # idempotency key: a key enqueued twice is sent once
    operator: str
    to: str = field(repr=False)  # E.164 number or e-mail address; for the help desk the ticket's reference
    route: Literal["sms", "email", "desk"]
    kind: MessageClass
    body: str = field(repr=False)
    language: str
    subject: str = field(default="", repr=False)
    due_at: datetime | None = None  # earliest sending time (UTC); None means now
    expires_at: datetime | None = None  # time (UTC) after which the message is dropped, not sent
    is_unprompted: bool = False
    """Whether nobody waits for it, so that quiet hours hold it: a bill notice, a reminder."""
    trace_parent: str = field(default_factory=current_trace_parent, repr=False, compare=False)
    """W3C `traceparent` of the turn that caused it; empty without tracing."""


@dataclass(frozen=True, slots=True)
class DeferredStep:
    """A menu step to run later; its result is sent by SMS."""

    key: str
    operator: str
    step: str
    session: bytes = field(repr=False)  # serialised, as it was when the step was deferred; holds no secrets
    expires_at: datetime
    trace_parent: str = field(default_factory=current_trace_parent, repr=False, compare=False)  # as above


@dataclass(frozen=True, slots=True)
class MagicLink:
    """A magic link: what its token is bound to. Only the keyed hash of the token is stored."""

    token: Secret
    purpose: LinkPurpose
    operator: str
    subscription: str
    value: str = field(repr=False)  # what opening it confirms, e.g. the address to validate
    expires_at: datetime
    opens_left: int = 1
    language: str = ""  # of the message with the link, and so of its page; empty for the visitor's own


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One audit log entry: who did what to which object. It holds no amounts and no message text."""

    operator: str
    actor: str = field(repr=False)
    """Phone number or subscription id; only its keyed hash is stored."""
    action: str
    happened_at: datetime
    channel: str = ""
    object: str = ""
    """Id of what was read, sent or changed."""
    outcome: str = "ok"
    correlation: str = ""
    """Correlation id shared by the entries of one request or one message."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything one action writes: committed in one transaction, once per idempotency key."""

    key: str
    """Idempotency key: session, request and action. A key seen before writes nothing."""
    operator: str
    subscription: str
    changed_at: datetime
    outcome: str = "ok"
    """Stored with the key; a repeat returns the outcome of the first commit."""
    preference: Preference | None = None  # non-empty fields replace the stored ones
    consents: tuple[Consent, ...] = ()
    registration: Registration | None = None  # stored once per phone and line
    links: tuple[MagicLink, ...] = ()
    messages: tuple[OutboundMessage, ...] = ()
    deferred_steps: tuple[DeferredStep, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    ticket_change: TicketChange | None = None
    promise: PaymentPromise | None = None
    reply: bytes | None = field(default=None, repr=False)
    """Response bytes to an inbound message, stored for duplicates of it."""
    audit_entries: tuple[AuditEntry, ...] = ()
    after_consent: int | None = None
    """Latest consent when the subscriber decided: of equal decisions after it only the first is written."""


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A one-time code to store and the message that carries it, written in one transaction.

    `purpose`: what it authenticates for, e.g. `proof` (this conversation) or `bill` (the web page).
    `requester`: who asks, unless it is the line's own handset; others have limits of their own (T11).
    """

    key: str
    operator: str
    number: str = field(repr=False)
    purpose: str
    code: Secret
    requested_at: datetime
    expires_at: datetime
    message: OutboundMessage | None  # None when nothing may be sent; the request counts all the same
    requester: str = field(default="", repr=False)
    by_email: bool = False
    """Whether it goes by e-mail: it then replaces a live one, and without a message it changes none."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery receipt; `our_id` is set when the provider echoes the key we sent."""

    provider: str
    message_id: str
    state: ReceiptState
    raw: str  # the status as the provider wrote it, for operators to read
    reason: str = ""
    our_id: str = ""
    is_our_fault: bool = False  # the reason is about our account or sender: an alert


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """An outbox row (message or deferred step) leased to one worker."""

    id: int
    fencing_token: int
    """An outcome recorded with an older token is rejected."""
    attempt: int  # 1 for the first
    item: OutboundMessage | DeferredStep
    claimed_at: datetime
    lease_expired: bool = False  # the previous attempt's worker lost its lease while sending: unknown


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """Outcome of one delivery attempt."""

    state: Literal["sent", "again", "dead", "unknown", "expired", "opted_out"]
    provider: str = ""
    message_id: str = ""
    retry_at: datetime | None = None
    reason: str = ""
