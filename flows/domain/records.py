"""Records: the values that cross the ports, all frozen."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Media = Literal["paper", "email"]
Kind = Literal["mobile", "fixed", "internet", "data_key"]
BillState = Literal["due", "part", "overdue", "paid", "credit", "cancelled"]
LinkPurpose = Literal["address", "mailbox", "email", "bill", "file"]
Entries = Literal["usage", "purchases"]
Capability = Literal["usage", "purchases", "documents"]
NoticeClass = Literal["code", "reply", "notice", "campaign"]
"""Sent in this order; `code` is never re-sent blindly, `notice` at most once after an unknown outcome."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that never shows itself: not in repr, str, logs or errors."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who stands behind a number: the subscription, not the number, is what bindings hold on to."""

    id: str
    """Subscription id at the billing backend."""
    operator: str
    msisdn: str = field(repr=False)
    account: str = field(repr=False)
    name: str = field(repr=False)
    kind: Kind
    segment: Literal["residential", "business"]
    language: str
    since: date
    """First day of the subscription; a change means the number has a new owner."""
    email: str = field(default="", repr=False)
    email_validated: bool = False
    address: str = field(default="", repr=False)
    sim_changed_at: datetime | None = field(default=None, repr=False)
    """When the SIM was last changed or the number ported; None when the backend does not say."""
    siret: str = field(default="", repr=False)
    account_number: str = field(default="", repr=False)
    """What its holder knows the account by; empty when that is `account`."""


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill; amounts in the operator's currency, tax included unless named otherwise."""

    id: str
    number: str
    account: str = field(repr=False)
    issued: date
    due: date
    total: Decimal
    tax: Decimal
    remaining: Decimal
    state: BillState
    seen: date | None = None
    """The day billing said so, when it cannot be asked now; None when it has just said it."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill's detail."""

    rubric: str
    """Catalogue name of the rubric: `subscriptions`, `options`, `communications`..."""
    user: str = field(repr=False)
    amount: Decimal
    id: str = ""
    label: str = field(default="", repr=False)
    centre: str = ""
    """The billing centre of a business account, e.g. `CF-100-A`."""
    days: int = 0
    of_days: int = 0
    """A part month (prorata): days of the days it has; 0 for whole months."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing used (a `call`, `data`, `text`), or bought on the bill (by its category)."""

    at: date
    kind: str
    amount: Decimal
    label: str = field(default="", repr=False)
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """The issuer's own document of a bill, byte for byte, with its hash, format and file name's ending."""

    data: bytes = field(repr=False)
    sha256: str
    format: str
    platform: str = ""
    """Where the legal original lies, when this is a copy."""
    suffix: str = "pdf"


@dataclass(frozen=True, slots=True)
class Preference:
    """What a subscriber chose with us; empty means never chosen."""

    language: str = ""
    notify: Literal["", "sms", "email", "both"] = ""
    email: str = field(default="", repr=False)
    email_validated: bool = False
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Consent:
    """One line of the append-only consent record."""

    what: str
    given: bool
    text: str
    """Name of the text that was agreed to."""
    language: str
    channel: str
    proof: str
    """How the subscriber was known: `line`, `code`..."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A line registered for bills by e-mail, and the phone it was registered from."""

    by: str = field(repr=False)
    """The phone in use, E.164."""
    line: str = field(repr=False)
    """The line that is billed, E.164."""
    subscription: str
    account: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message going out."""

    key: str
    """Unique: the same key enqueued twice goes out once."""
    operator: str
    to: str = field(repr=False)
    """E.164 number or e-mail address."""
    route: Literal["sms", "email"]
    kind: NoticeClass
    body: str = field(repr=False)
    language: str
    subject: str = field(default="", repr=False)
    due_at: datetime | None = None
    """Not before this instant (UTC); None means now."""
    expires_at: datetime | None = None
    """Worthless after this instant (UTC): it is dropped, not sent."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Work promised for later: run a step again and text what it shows."""

    key: str
    operator: str
    step: str
    session: bytes = field(repr=False)
    """The session at the moment of the promise, secrets never in it."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A short link's binding; only the keyed hash of its token is stored."""

    token: Secret
    purpose: LinkPurpose
    operator: str
    subscription: str
    value: str = field(repr=False)
    """What opening it confirms, e.g. the address to validate."""
    expires_at: datetime
    opens: int = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question a person must answer."""

    reference: str
    """What the subscriber is told, to ask again by."""
    kind: str
    bill: str
    line: str = ""
    """Empty means the whole bill."""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the audit trail: who did what to which object. No amounts, no text of anybody's."""

    operator: str
    actor: str = field(repr=False)
    """The number or subscription; only its keyed hash is stored."""
    action: str
    at: datetime
    channel: str = ""
    object: str = ""
    """The id of what was read, sent or changed."""
    outcome: str = "ok"
    correlation: str = ""
    """What the lines of one cause share: the key of a hop or of a message."""


@dataclass(frozen=True, slots=True)
class Change:
    """All that one action writes, in one transaction, once per key."""

    key: str
    """Idempotency key: session, hop and action. A key seen before writes nothing."""
    operator: str
    subscription: str
    at: datetime
    outcome: str = "ok"
    """Kept with the key: a repeat is told what the first one was told."""
    preference: Preference | None = None
    """The fields that are not empty replace the stored ones."""
    consents: tuple[Consent, ...] = ()
    registration: Registration | None = None
    """Kept once per phone and line."""
    links: tuple[Link, ...] = ()
    notices: tuple[Notice, ...] = ()
    errands: tuple[Errand, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    reply: bytes | None = field(default=None, repr=False)
    """The provider's answer bytes to an inbound message, kept to be repeated."""
    deeds: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A one-time code to be remembered, and the notice that carries it, in one transaction."""

    key: str
    operator: str
    number: str = field(repr=False)
    purpose: str
    """What it opens: `proof` (this conversation) or `bill` (the web page)."""
    code: Secret
    at: datetime
    expires_at: datetime
    notice: Notice | None
    """None when nothing may be sent (the number is nobody's): counted all the same."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says became of a message; `our_id` when it echoes the key we gave."""

    provider: str
    message_id: str
    state: Literal["in_transit", "delivered", "failed", "unknown"]
    raw: str
    """The provider's own word, kept for people to read."""
    reason: str = ""
    our_id: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed outbox row: one notice or errand in the hands of one worker."""

    id: int
    fence: int
    """Fencing token: a settlement with an older one is refused."""
    attempt: int
    """1 for the first try."""
    item: Notice | Errand
    claimed_at: datetime
    lapsed: bool = False
    """The attempt before this one was begun by a worker that fell silent: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one attempt."""

    state: Literal["sent", "again", "dead", "unknown", "expired", "opted_out"]
    provider: str = ""
    message_id: str = ""
    again_at: datetime | None = None
    reason: str = ""
