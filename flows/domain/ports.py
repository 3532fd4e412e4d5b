"""Ports: the interfaces to billing and storage that the flows use, each with several implementations."""

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.email_registration import EmailUse, Registration
from flows.domain.records import (
    AuditEntry,
    Bill,
    BillDocument,
    BillLine,
    Capability,
    ChangeSet,
    ClaimedMessage,
    DeliveryOutcome,
    EntryType,
    MagicLink,
    Preference,
    Receipt,
    Secret,
    Subscriber,
    UsageEntry,
)
from menus.model.value import value_dataclass


class Billing(Protocol):
    """Billing backend (BSS) of one operator.

    Called under the turn's deadline; raises subclasses of `Refused` and `Unavailable` only.
    """

    @property
    def capabilities(self) -> Collection[Capability]:
        """Optional features of this backend; methods of a feature that is not listed are never called."""

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number (E.164); NotFound when there is none."""

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the same, never from a cache; asked before a secret leaves (SIM or owner may be new)."""

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return up to `limit` issued bills from `offset` on, newest first."""

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for a bill of any other account."""

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's charge lines by rubric and user."""

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills are delivered to this account today, and its e-mail address if billing has one."""

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Deliver bills there from the next one on; False when it was so already. Idempotent.

        True means that billing, asked afterwards, has it so. NotEligible: it takes no such address or change;
        ChangePending: the change is accepted and not made yet; Down: it was not kept.
        """

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Send paper bills to this address (one line of text) from the next one on, as `set_media` does."""

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage records or purchases, newest first; needs the capability of that name."""

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's document of a bill; NotFound when there is none. Needs `documents`."""


@runtime_checkable
class BillingCycles(Protocol):
    """Billing cycles: lists the bills of a period, to announce them. Optional for a backend."""

    def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Yield pages of the bills issued from `first` to `last` inclusive, each with its account's holder.

        A bill or holder that cannot be used is named in its page's `rejected`, and the iteration goes on;
        bills of accounts without a current line are counted. Raises Unavailable only for an outage of billing.
        """

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber notified of this account's bills; NotFound when there is none."""


@value_dataclass
class SessionKey:
    """Storage key of a session. Both parts are keyed hashes, so a store never holds a phone number."""

    subscriber_hash: str
    """Hash of operator and caller, shared by a subscriber's keys (Redis hash tag, rate limit bucket)."""
    session_hash: str
    """Hash of provider, channel and the provider's session id."""
    ttl_seconds: float = 0.0
    """How long the session outlives its last turn; 0 leaves it to the store."""
    resume_hash: str = ""
    """Hash of what a dropped session is found by when its caller dials again, below `subscriber_hash`."""
    resume_seconds: float = 0.0  # how long a dropped session may be continued; 0 for not at all


@value_dataclass
class OpenedSession:
    """Result of `SessionStore.open`.

    new      no session stored; the lease is ours
    live     session loaded; the lease is ours
    ended    the conversation is over; `reply` is its last answer; no lease
    replay   this request was answered before with `reply`; no lease
    busy     another turn holds the lease and did not finish in time
    limited  this subscriber is over the rate limit
    """

    status: Literal["new", "live", "ended", "replay", "busy", "limited"]
    version: int = 0
    fencing_token: int = 0
    """Fencing token of the session lease."""
    session: bytes | None = field(default=None, repr=False)
    reply: bytes | None = field(default=None, repr=False)
    resume_point: bytes | None = field(default=None, repr=False)
    """Of a new session: the caller's last one, dropped; None when there is nothing to continue."""
    is_recalled: bool = False
    """Whether it comes from `SessionStore.recall`: no lease is ours, and it may be out of date."""


class SessionStore(Protocol):
    """Session store with leases. One `open` and one `save` a turn; each is one round trip.

    A turn without effects may begin with `recall` instead, which is none.
    """

    def recall(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """Return the live session as this process saved it last; None where it must be opened.

        Whether that still holds is found out by `save`, which refuses otherwise: until then the turn must have
        no effects, and after a refusal it begins again with `open`. A repeated request is always opened.
        """

    async def open(self, key: SessionKey, request_id: str) -> OpenedSession:
        """Load and lease the session, detect a replayed request and apply the rate limit, atomically.

        A concurrent duplicate waits here, for a bounded time, until the first one saves.
        """

    async def save(
        self,
        key: SessionKey,
        opened: OpenedSession,
        request_id: str,
        session: bytes | None,
        reply: bytes,
        *,
        can_resume: bool = False,
    ) -> bool:
        """Store session and reply and release the lease; False when the lease was lost.

        Of a recalled session False means that another turn came in between or holds the lease, that the
        session is gone, or that the subscriber is over the rate limit; nothing is stored then.
        `session` None ends the conversation: only the reply is kept. With `can_resume` the session is also
        the caller's resume point for `resume_seconds`; without it there is none any more."""

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Forget the request id of this version, whose reply was sent: an equal request is a new one.

        Without effect when the session has changed since."""

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease without saving: the turn failed and may be retried."""

    async def delete_session(self, key: SessionKey) -> None:
        """Delete a session that the network has ended, not its resume point; an unknown key is ignored."""

    async def forget_subscriber(self, tag: str) -> int:
        """Delete all data of one subscriber (right to erasure); return how many sessions were live here."""


class Counters(Protocol):
    """Windowed event counters shared by all processes, for abuse limits.

    Attempts to guess a secret are counted in SQL instead (`OneTimeCodes`, `Passwords`).
    """

    async def count_event(self, what: str, who: str, seconds: float) -> int:
        """Count one event and return the total in the window of `seconds` that its first event opened.

        `who` may be a phone number or an address: stores keep a hash of it. Never raises.
        """


class Ledger(Protocol):
    """Durable store of preferences, consents, registrations, magic links and idempotency keys."""

    async def commit(self, change: ChangeSet) -> str:
        """Write a change set in one transaction, once per key; return the outcome stored with the key."""

    async def latest_consent(self, operator: str, subscription: str, purpose: str) -> int:
        """Return the id of the latest consent for a purpose, given or withdrawn; 0 when there is none."""

    async def list_registrations(self, operator: str, by: str) -> Sequence[Registration]:
        """Return the lines registered for e-mail bills from the phone `by`, the one proven last at the end."""

    async def find_registration(self, operator: str, subscription: str) -> Registration | None:
        """Return the registration of a subscription; None when there is none."""

    async def list_email_uses(self, operator: str, address: str) -> Sequence[EmailUse]:
        """Return the subscriptions whose stored e-mail address this is."""

    async def get_preference(self, operator: str, subscription: str) -> Preference:
        """Return the stored preference of a subscription; an empty one when there is none."""

    async def bind_number(self, number: str, owner: Subscriber, now: datetime, today: date) -> Preference:
        """Bind a number to the owner that billing reports; return the owner's preference.

        When the number has a new owner (recycled number) or the subscription started again, the previous
        owner's passwords, codes, links, preferences and consents are deleted before this returns. `today`
        is the operator's day: backends that do not know the start of a subscription report that day.
        """

    async def last_language(self, operator: str, number: str) -> str:
        """Return the language chosen by the last known owner of a number, without billing; empty for none."""

    def record_audit_entry(self, entry: AuditEntry) -> None:
        """Queue an audit log entry for a read; change sets carry the entries of their writes."""

    async def find_reply(self, key: str) -> bytes | None:
        """Return the reply stored with an idempotency key; None when there is none."""

    async def find_link(self, token: Secret, purpose: str, now: datetime) -> MagicLink | None:
        """Look up a magic link without using it; None when unknown, used up or expired."""

    async def use_link(self, token: Secret, purpose: str, now: datetime) -> MagicLink | None:
        """Use a magic link once; of parallel uses at most `opens_left` succeed, the others get None."""

    async def set_opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> bool:
        """Store STOP (`out`) or START from a number; False when it was set already."""


class Outbox(Protocol):
    """Transactional outbox; `Ledger.commit` and `OneTimeCodes.issue_code` fill it."""

    async def claim(
        self, limit: int, now: datetime, scope: ClaimScope = EVERYTHING
    ) -> Sequence[ClaimedMessage]:
        """Lease up to `limit` due rows for some seconds: codes first, then replies, notices, campaigns."""

    async def renew_leases(
        self, messages: Sequence[ClaimedMessage], now: datetime, *, sending: bool
    ) -> Collection[int]:
        """Renew the leases of claimed rows; return the ids that are still ours.

        Pass `sending` before a row is handed to its provider and while the call runs: after a crash
        the next worker then knows that it may have been sent (`ClaimedMessage.lease_expired`).
        """

    async def release_unsent(self, releases: Sequence[tuple[ClaimedMessage, datetime]], now: datetime) -> None:
        """Return rows that were claimed and not attempted, each due again at its time; counts no attempt."""

    def record_outcome(
        self, message: ClaimedMessage, outcome: DeliveryOutcome, now: datetime
    ) -> Awaitable[bool]:
        """Record a delivery outcome; False when the fencing token is stale (another worker took over)."""

    async def record_receipt(self, receipt: Receipt, now: datetime) -> None:
        """Record a delivery receipt; states only move forward, receipts of unknown ids are stored aside."""

    async def wait_for_work(self, seconds: float) -> None:
        """Return when a row may be due, at the latest after `seconds`."""
