"""Stored session of the in-memory store: a tuple of plain values, a record while it is worked on.

The garbage collector visits every object of a class, but no such tuple: its runs take no longer with 100,000
sessions than with none.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter

from flows.domain.ports import OpenedSession, SessionKey

SessionRow = tuple[float, float, int, int, float, str | None, bytes | None, bytes | None, bool, int]
"""The fields of a record, in their order."""


@dataclass(slots=True)
class SessionRecord:
    """A stored session while a method works on it; the store holds its row."""

    ttl_seconds: float
    expires_at: float = 0.0
    version: int = 0
    lease: int = 0
    lease_expires_at: float = 0.0
    """When the lease expires; 0 when it is free."""
    hop: str | None = None
    session: bytes | None = None
    reply: bytes | None = None
    is_established: bool = False
    """Whether the conversation is under way: answered more than once and not ended."""
    order_number: int = -1
    """Its number in the order of use; -1 while it has none."""

    @property
    def is_stored(self) -> bool:
        """Whether the store has it already."""
        return self.order_number >= 0

    def has_expired(self, now: float) -> bool:
        """Return whether its time is over; not during a turn."""
        return self.expires_at <= now and self.lease_expires_at <= now

    def to_row(self) -> SessionRow:
        """Return the values to store."""
        return _read_fields(self)

    def as_opened(self) -> OpenedSession:
        """Return the leased session: `live` with its bytes, or `new`."""
        return OpenedSession("live" if self.version else "new", self.version, self.lease, self.session)

    def store_turn(self, request_id: str, session: bytes | None, reply: bytes) -> None:
        """Take over what a turn ended with, and free the lease."""
        self.version += 1
        self.hop, self.session, self.reply = request_id, session, reply
        self.lease_expires_at = 0.0


_read_fields: Callable[[SessionRecord], SessionRow] = attrgetter(*(each.name for each in fields(SessionRecord)))


def subscriber_prefix(tag: str) -> str:
    """Return what the names of a subscriber's sessions and resume points begin with."""
    return f"{tag}/"


def session_name(key: SessionKey) -> str:
    """Return the name a session is stored under: keyed hashes of subscriber and session."""
    return f"{key.subscriber_hash}/{key.session_hash}"


def resume_name(key: SessionKey) -> str:
    """Return the name a resume point is stored under."""
    return f"{key.subscriber_hash}/{key.resume_hash}"
