"""In-memory session store of one process."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count, islice

from cachetools import TLRUCache

from flows.domain.failures import Overloaded
from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.leaky_bucket import TurnRateLimit, TurnRateLimiter

_ResumePoints = TLRUCache[tuple[str, str], tuple[float, bytes]]
log = logging.getLogger("dialtree.sessions")
_BUSY_RESULT = OpenedSession("busy")
_LIMITED_RESULT = OpenedSession("limited")


@dataclass(slots=True)
class _SessionRecord:
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
    release_event: asyncio.Event | None = None
    """Set when the lease is released; created by the first concurrent request that waits."""

    def as_opened(self) -> OpenedSession:
        """Return the leased session: `live` with its bytes, or `new`."""
        return OpenedSession("live" if self.version else "new", self.version, self.lease, self.session)

    def release_lease(self) -> None:
        """Free the lease and wake the waiting requests."""
        self.lease_expires_at = 0.0
        if self.release_event is not None:
            self.release_event.set()
            self.release_event = None


class MemorySessions:
    """The `Sessions` port for one process: everything is lost when it ends.

    Times are seconds of `now`, a monotonic clock. A session expires `ttl_seconds` (the key's,
    else the store's) after its last turn.
    A lease expires after `lease_seconds`; a concurrent request waits `wait_seconds` for it.
    Resume points expire by `resume_now`, which is `now` unless a sandbox moves its time by hand.
    At `max_entries` sessions a new one takes the place of the one unused for longest (`_make_room`).
    """

    def __init__(
        self,
        now: Callable[[], float],
        ttl_seconds: float = 180.0,
        rate_limit: TurnRateLimit | None = None,
        wait_seconds: float = 5.0,
        lease_seconds: float = 10.0,
        max_entries: int = 100_000,
        resume_now: Callable[[], float] | None = None,
    ) -> None:
        self._now = now
        self._ttl_seconds = ttl_seconds
        self._wait_seconds = wait_seconds
        self._lease_seconds = lease_seconds
        self._rate_limiter = TurnRateLimiter(rate_limit, 2 * max_entries) if rate_limit else None
        self._max_entries = max_entries
        self._lease_numbers = count(1)
        self._records: dict[tuple[str, str], _SessionRecord] = {}
        # By TTL and whether answered more than once, least recently used first: each in the order of expiry.
        self._by_use: dict[tuple[float, bool], OrderedDict[tuple[str, str], None]] = {}
        self._resume_points: _ResumePoints = TLRUCache(max_entries, _resume_point_expiry, resume_now or now)

    def __len__(self) -> int:
        """Return the number of stored sessions, including expired ones not yet evicted."""
        return len(self._records)

    def has_session(self, key: SessionKey) -> bool:
        """Return whether an unexpired session is stored under this key."""
        return (
            self._live_record((key.subscriber_hash, key.session_hash), self._now()) is not None
            if self._records
            else False
        )

    async def open(self, key: SessionKey, request_id: str) -> OpenedSession:
        """Implement `Sessions.open`: load, lease, replay check, rate limit; Overloaded when all are in use."""
        opened = self._try_open(key, request_id)
        if opened is _BUSY_RESULT:
            opened = await self._wait_for_lease(key, request_id)
        point = self._find_resume_point(key) if opened.status == "new" else None
        return replace(opened, resume_point=point) if point else opened

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
        """Store all if lease and version are still those of `opened`; None ends the conversation."""
        name, now = (key.subscriber_hash, key.session_hash), self._now()
        entry = self._leased_record(name, opened, now)
        if entry is None or entry.version != opened.version:
            return False
        self._store_turn(entry, request_id, session, reply)
        self._store_resume_point(key, session if can_resume else None)
        self._touch(name, entry, now)
        entry.release_lease()
        return True

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Forget the request id of this version; an equal request is a new one then."""
        record = self._live_record((key.subscriber_hash, key.session_hash), self._now())
        if record is not None and record.version == version:
            record.hop = None

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease if it is still ours."""
        name = (key.subscriber_hash, key.session_hash)
        entry = self._leased_record(name, opened, self._now())
        if entry is None:
            return
        if not entry.version:
            self._remove(name)
        entry.release_lease()

    async def delete_session(self, key: SessionKey) -> None:
        """Delete the session; the holder of its lease can no longer save."""
        entry = self._remove((key.subscriber_hash, key.session_hash))
        if entry is not None:
            entry.release_lease()

    async def forget_subscriber(self, tag: str) -> int:
        """Delete a subscriber's sessions in this process; return how many there were."""
        names = [name for name in self._records if name[0] == tag]
        for name in names:
            self._drop(name)
        for point in [name for name in self._resume_points if name[0] == tag]:
            self._resume_points.pop(point, None)
        return len(names)

    def adopt_session(
        self,
        key: SessionKey,
        version: int,
        request_id: str,
        session: bytes | None,
        reply: bytes,
        *,
        can_resume: bool = False,
    ) -> None:
        """Store a turn opened in another store, replacing what is here; Overloaded when all are in use."""
        name, now = (key.subscriber_hash, key.session_hash), self._now()
        entry = self._live_record(name, now) or self._add_record(key, now)
        entry.version = version
        self._store_turn(entry, request_id, session, reply)
        self._touch(name, entry, now)
        self._store_resume_point(key, session if can_resume else None)
        entry.release_lease()

    def _find_resume_point(self, key: SessionKey) -> bytes | None:
        found = self._resume_points.get((key.subscriber_hash, key.resume_hash)) if key.resume_seconds else None
        return found[1] if found else None

    def _store_resume_point(self, key: SessionKey, resume_point: bytes | None) -> None:
        name = (key.subscriber_hash, key.resume_hash)
        if not key.resume_hash or not key.resume_seconds:
            return
        if resume_point is None:
            self._resume_points.pop(name, None)
            return
        self._resume_points[name] = (key.resume_seconds, resume_point)

    def _try_open(self, key: SessionKey, request_id: str) -> OpenedSession:
        name, now = (key.subscriber_hash, key.session_hash), self._now()
        entry = self._live_record(name, now)
        if entry is not None:
            if entry.version and entry.hop == request_id:
                return OpenedSession("replay", entry.version, 0, entry.session, entry.reply)
            if entry.version and entry.session is None:
                return OpenedSession("ended", entry.version, 0, None, entry.reply)
            if entry.lease_expires_at > now:
                return _BUSY_RESULT
        if self._rate_limiter is not None and not self._rate_limiter.allow_turn(key.subscriber_hash, now):
            return _LIMITED_RESULT
        return self._grant_lease(name, entry or self._add_record(key, now), now)

    def _grant_lease(self, name: tuple[str, str], record: _SessionRecord, now: float) -> OpenedSession:
        record.lease = next(self._lease_numbers)
        record.lease_expires_at = now + self._lease_seconds
        self._touch(name, record, now)
        return record.as_opened()

    async def _wait_for_lease(self, key: SessionKey, request_id: str) -> OpenedSession:
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (opened := self._try_open(key, request_id)) is _BUSY_RESULT:
                    await self._wait_for_release(self._records[(key.subscriber_hash, key.session_hash)])
        except TimeoutError:
            return _BUSY_RESULT
        return opened

    async def _wait_for_release(self, record: _SessionRecord) -> None:
        """Return when the lease is released or expired."""
        record.release_event = record.release_event or asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(record.lease_expires_at - self._now()):
                await record.release_event.wait()

    def _live_record(self, name: tuple[str, str], now: float) -> _SessionRecord | None:
        entry = self._records.get(name)
        if entry is not None and entry.expires_at <= now:
            self._drop(name)
            return None
        return entry

    def _leased_record(self, name: tuple[str, str], opened: OpenedSession, now: float) -> _SessionRecord | None:
        entry = self._live_record(name, now)
        is_ours = entry is not None and entry.lease_expires_at and entry.lease == opened.fencing_token
        return entry if is_ours else None

    def _add_record(self, key: SessionKey, now: float) -> _SessionRecord:
        name = (key.subscriber_hash, key.session_hash)
        self._evict_expired(now)
        if len(self._records) >= self._max_entries:
            self._make_room(now)
        entry = self._records[name] = _SessionRecord(key.ttl_seconds or self._ttl_seconds)
        self._touch(name, entry, now)
        return entry

    def _make_room(self, now: float) -> None:
        """Evict the session unused for longest: of those answered once first, so that a flood of new ones
        costs no conversation under way. Overloaded when a turn is under way in all of them.
        """
        oldest = [
            (next(iter(order)), is_established) for (_, is_established), order in self._by_use.items() if order
        ]
        idle = [
            (is_established, record.expires_at - record.ttl_seconds, name)
            for name, is_established in oldest
            if (record := self._records[name]).lease_expires_at <= now
        ]
        if not idle:
            raise Overloaded("memory sessions: the limit of this process is reached, and all are in use")
        log.warning("sessions.session_lost")
        self._drop(min(idle)[2])

    def _touch(self, name: tuple[str, str], record: _SessionRecord, now: float) -> None:
        """Give the record its whole time to live again."""
        record.expires_at = now + record.ttl_seconds
        is_established = record.version > 1 and record.session is not None
        if is_established != record.is_established:
            self._by_use[record.ttl_seconds, record.is_established].pop(name, None)
            record.is_established = is_established
        order = self._by_use.setdefault((record.ttl_seconds, is_established), OrderedDict())
        order[name] = None
        order.move_to_end(name)

    def _remove(self, name: tuple[str, str]) -> _SessionRecord | None:
        record = self._records.pop(name, None)
        if record is not None:
            self._by_use[record.ttl_seconds, record.is_established].pop(name, None)
        return record

    def _drop(self, name: tuple[str, str]) -> None:
        """Remove a record and wake the requests that wait for it."""
        record = self._remove(name)
        if record is not None:
            record.release_lease()

    def _evict_expired(self, now: float) -> None:
        """Evict at most two expired sessions of each TTL per new one: a bounded cost, and none pile up."""
        for order in self._by_use.values():
            for name in list(islice(order, 2)):
                if self._records[name].expires_at <= now:
                    self._drop(name)

    def _store_turn(self, record: _SessionRecord, request_id: str, session: bytes | None, reply: bytes) -> None:
        record.version += 1
        record.hop = request_id
        record.session = session
        record.reply = reply


def _resume_point_expiry(name: tuple[str, str], point: tuple[float, bytes], now: float) -> float:
    """Return when a resume point expires: its own seconds after it was stored."""
    return now + point[0]
