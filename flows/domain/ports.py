"""Ports: what the flows need from the world, each with at least two implementations."""

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

from flows.domain.records import (
    Bill,
    BillLine,
    Capability,
    Change,
    CodeRequest,
    Deed,
    Document,
    Entries,
    Entry,
    Link,
    Media,
    Parcel,
    Preference,
    Receipt,
    Registration,
    Secret,
    Settlement,
    Subscriber,
)
from menus.model.value import value


class Billing(Protocol):
    """The operator's bills. Called under the turn's deadline; raises Refused or Unavailable only."""

    @property
    def capabilities(self) -> Collection[Capability]:
        """What this backend can do besides bills; what is not named here is never asked of it."""

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number; NotFound when nobody does."""

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills, newest first."""

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's."""

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail by rubric and user."""

    async def media(self, account: str) -> Media:
        """How bills reach this account today."""

    async def set_media(self, account: str, media: Media) -> bool:
        """Ask for paper or e-mail; False when it was so already. Idempotent."""

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """What was used or bought, newest first; asked only with the capability of that name."""

    async def document(self, account: str, bill_id: str) -> Document:
        """The issuer's own document; NotFound when there is none. Asked only with `documents`."""


@runtime_checkable
class Cycles(Protocol):
    """Whole cycles of bills, for the billing day; a backend that cannot list them does without."""

    def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Published bills issued between two days, both included, each with its account's holder.

        Page by page; an account nobody holds is left out.
        """

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills; NotFound when nobody is."""


@value
class SessionKey:
    """Where a session is kept: both parts are keyed hashes, so a store never shows a number."""

    tag: str
    """Of operator and caller: one subscriber's keys share it (Redis hash tag, rate bucket)."""
    name: str
    """Of provider, channel and the provider's session id."""


@value
class Opened:
    """What `Sessions.open` found.

    new      nothing there; the lease is ours
    live     a session is there; the lease is ours
    ended    the conversation is over; `reply` is its last answer; no lease
    replay   this very hop was answered before with `reply`; no lease
    busy     another turn holds the lease and did not finish in time
    limited  this subscriber has used up the allowed turns
    """

    status: Literal["new", "live", "ended", "replay", "busy", "limited"]
    version: int = 0
    lease: int = 0
    """Fencing token of the lease."""
    session: bytes | None = field(default=None, repr=False)
    reply: bytes | None = field(default=None, repr=False)


class Sessions(Protocol):
    """Live sessions. One `open` and one `save` a turn; each is one round trip."""

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """Load, lease, check for replay and count against the rate limit, in one step.

        A concurrent twin waits here, bounded, for the first to save.
        """

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Keep session and reply and give the lease back; False when the lease was lost.

        `session` None ends the conversation: only the reply is kept, for repeats.
        """

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Give the lease back without saving: the turn failed and may be tried again."""

    async def drop(self, key: SessionKey) -> None:
        """The network says the conversation is over: forget it. Unknown keys are fine."""

    async def forget(self, tag: str) -> int:
        """Forget everything of one subscriber, who asked for it; how many conversations were live here."""


class Tallies(Protocol):
    """How often somebody did something lately, counted by all processes together.

    For what is merely a nuisance. A guess at a secret is counted in SQL (`Codes`, `Passwords`).
    """

    async def count(self, what: str, who: str, seconds: float) -> int:
        """One more; how many there were in the `seconds` that began with the first. Raises nothing.

        `who` may be a number or an address: no store shows it.
        """


class Ledger(Protocol):
    """What must not be lost: preferences, consents, links, the keys of changes already made."""

    async def commit(self, change: Change) -> str:
        """Write it all in one transaction, once per key; answers the outcome kept with the key."""

    async def registrations(self, operator: str, by: str) -> Sequence[Registration]:
        """The lines registered for bills by e-mail from this phone, oldest first."""

    async def registered(self, operator: str, subscription: str) -> Registration | None:
        """How this subscription was registered; None when it was not."""

    async def preference(self, operator: str, subscription: str) -> Preference:
        """What this subscription chose; an empty Preference when nothing."""

    async def welcome(self, number: str, owner: Subscriber, now: datetime, today: date) -> Preference:
        """What the one behind this number chose; called when billing has said who that is.

        When the number has a new owner, or the subscription began anew, passwords, codes, links,
        preferences and consents of the one before are gone when this returns. `today` is the operator's
        day: a subscription that began on it may have begun on a day billing does not know.
        """

    def note(self, deed: Deed) -> None:
        """Add a line to the audit trail soon: for what is read. What is changed brings its own."""

    async def reply(self, key: str) -> bytes | None:
        """The answer kept with a change's key, if that change was made before."""

    async def open_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Look a link up without using it; None when unknown, used up or expired."""

    async def use_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Use a link once; of parallel users at most `opens` succeed."""

    async def opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> bool:
        """Remember STOP (or START) from this number; False when it was so already."""


class Codes(Protocol):
    """One-time codes, kept as keyed hashes; every count is atomic."""

    async def issue(self, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Remember a code and enqueue its notice in one transaction; the new one kills the old.

        `soon`: less than 30 s after the last. `many`: 3 an hour or 6 a day are used up.
        A repeated `key` answers what it answered first.
        """

    async def redeem(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Use a code once. Five wrong tries kill a code, nine a day lock the number's codes.

        `source` names where a try came from that may be anybody's (the web): it has a budget of its own.
        Unknown, expired and used codes are `wrong`; of two parallel uses one is `ok`.
        """


class Passwords(Protocol):
    """Passwords and PINs as argon2id hashes, checked in a bounded pool."""

    async def check(
        self, operator: str, number: str, secret: Secret, kind: str, now: datetime
    ) -> Literal["ok", "wrong", "locked"]:
        """Compare; an unknown number takes as long as a known one. Raises Overloaded when shed."""

    async def put(self, operator: str, number: str, secret: Secret, kind: str, now: datetime) -> None:
        """Set or replace."""


class Outbox(Protocol):
    """Notices and errands on their way out; enqueued by `Ledger.commit` and `Codes.issue`."""

    async def claim(self, most: int, now: datetime, full: Collection[tuple[str, str]] = ()) -> Sequence[Parcel]:
        """Take due rows under a lease of seconds: codes first, then replies, notices, campaigns.

        `full`: operators and routes whose notices and campaigns could not go out now, and are left.
        """

    async def hold(self, parcels: Sequence[Parcel], now: datetime, *, sending: bool) -> Collection[int]:
        """Renew the lease of claimed rows; the ids of those that are still ours.

        With `sending` before a row is given to its provider, and again while it is under way: only
        then may a later worker know that this one may have sent it (`Parcel.lapsed`).
        """

    async def put_back(self, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        """Give back what was claimed and not tried, each until an instant; no attempt is counted."""

    def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> Awaitable[bool]:
        """Record what became of it; False when the fence is stale (another worker took over)."""

    async def receipt(self, receipt: Receipt, now: datetime) -> None:
        """Record a provider's word; states only move forward, unknown ids are parked."""

    async def wait(self, seconds: float) -> None:
        """Return when something may be due, at the latest after so many seconds."""
