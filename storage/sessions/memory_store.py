"""In-memory session store of one process."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from flows.domain.failures import Overloaded
from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.leaky_bucket import TurnRateLimit, TurnRateLimiter
from storage.sessions.resume_points import ResumePoints
from storage.sessions.session_record import (
    SessionRecord,
    SessionRow,
    resume_name,
    session_name,
    subscriber_prefix,
)
from storage.sessions.use_order import UseOrder

log = logging.getLogger("dialtree.sessions")
_BUSY_RESULT = OpenedSession("busy")
_LIMITED_RESULT = OpenedSession("limited")


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
        # The collector knows an ordered dictionary from the start; frozen then, it is not visited as it grows.
        self._rows: OrderedDict[str, SessionRow] = OrderedDict()
        self._release_events: dict[str, asyncio.Event] = {}  # of leases that requests wait for
        # By TTL and whether answered more than once, least recently used first: each in the order of expiry.
        self._by_use: dict[tuple[float, bool], UseOrder] = {}
        self._resume_points = ResumePoints(resume_now or now, max_entries)

    def __len__(self) -> int:
        """Return the number of stored sessions, including expired ones not yet evicted."""
        return len(self._rows)

    def has_session(self, key: SessionKey) -> bool:
        """Return whether an unexpired session is stored under this key."""
        return self._live_record(session_name(key), self._now()) is not None if self._rows else False

    def recall(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """Return None: opening a session costs no round trip here."""
        return None

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
        name, now = session_name(key), self._now()
        entry = self._leased_record(name, opened, now)
        if entry is None or entry.version != opened.version:
            return False
        entry.store_turn(request_id, session, reply)
        self._store_resume_point(key, session if can_resume else None)
        self._touch(name, entry, now)
        self._wake_waiting(name)
        return True

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Forget the request id of this version; an equal request is a new one then."""
        name = session_name(key)
        record = self._live_record(name, self._now())
        if record is not None and record.version == version:
            record.hop = None
            self._rows[name] = record.to_row()

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease if it is still ours."""
        name = session_name(key)
        entry = self._leased_record(name, opened, self._now())
        if entry is None:
            return
        if entry.version:
            entry.lease_expires_at = 0.0
            self._touch(name, entry, self._now())
            self._wake_waiting(name)
            return
        self._drop(name)

    async def delete_session(self, key: SessionKey) -> None:
        """Delete the session; the holder of its lease can no longer save."""
        self._drop(session_name(key))

    async def forget_subscriber(self, tag: str) -> int:
        """Delete a subscriber's sessions in this process; return how many there were."""
        prefix = subscriber_prefix(tag)
        names = [name for name in self._rows if name.startswith(prefix)]
        for name in names:
            self._drop(name)
        self._resume_points.forget_subscriber(prefix)
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
        name, now = session_name(key), self._now()
        entry = self._live_record(name, now) or self._new_record(key, now)
        entry.version = version
        entry.store_turn(request_id, session, reply)
        self._touch(name, entry, now)
        self._store_resume_point(key, session if can_resume else None)
        self._wake_waiting(name)

    def _find_resume_point(self, key: SessionKey) -> bytes | None:
        return self._resume_points.find_point(resume_name(key)) if key.resume_seconds else None

    def _store_resume_point(self, key: SessionKey, resume_point: bytes | None) -> None:
        name = resume_name(key)
        if not key.resume_hash or not key.resume_seconds:
            return
        if resume_point is None:
            self._resume_points.delete_point(name)
            return
        self._resume_points.store_point(name, key.resume_seconds, resume_point)

    def _try_open(self, key: SessionKey, request_id: str) -> OpenedSession:
        name, now = session_name(key), self._now()
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
        return self._grant_lease(name, entry or self._new_record(key, now), now)

    def _grant_lease(self, name: str, record: SessionRecord, now: float) -> OpenedSession:
        record.lease = next(self._lease_numbers)
        record.lease_expires_at = now + self._lease_seconds
        if record.is_stored:
            self._rows[name] = record.to_row()  # its place among the others changes at the end of the turn
        else:
            self._touch(name, record, now)
        return record.as_opened()

    async def _wait_for_lease(self, key: SessionKey, request_id: str) -> OpenedSession:
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (opened := self._try_open(key, request_id)) is _BUSY_RESULT:
                    await self._wait_for_release(session_name(key))
        except TimeoutError:
            return _BUSY_RESULT
        return opened

    async def _wait_for_release(self, name: str) -> None:
        """Return when the lease is released or expired."""
        released = self._release_events.setdefault(name, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SessionRecord(*self._rows[name]).lease_expires_at - self._now()):
                await released.wait()

    def _wake_waiting(self, name: str) -> None:
        """Wake the requests that wait for a lease: it is free, or its session is gone."""
        if self._release_events and (released := self._release_events.pop(name, None)):
            released.set()

    def _live_record(self, name: str, now: float) -> SessionRecord | None:
        row = self._rows.get(name)
        if row is None:
            return None
        record = SessionRecord(*row)
        if record.has_expired(now):
            self._drop(name)
            return None
        return record

    def _leased_record(self, name: str, opened: OpenedSession, now: float) -> SessionRecord | None:
        entry = self._live_record(name, now)
        is_ours = entry is not None and entry.lease_expires_at and entry.lease == opened.fencing_token
        return entry if is_ours else None

    def _new_record(self, key: SessionKey, now: float) -> SessionRecord:
        """Return a record to be stored, for which there is room."""
        self._evict_expired(now)
        if len(self._rows) >= self._max_entries:
            self._make_room(now)
        return SessionRecord(key.ttl_seconds or self._ttl_seconds)

    def _make_room(self, now: float) -> None:
        """Evict the session unused for longest: of those answered once first, so that a flood of new ones
        costs no conversation under way. Overloaded when a turn is under way in all of them.
        """
        oldest = [
            (name, is_established)
            for (_, is_established), order in self._by_use.items()
            for name in order.list_oldest(1)
        ]
        idle = [
            (is_established, record.expires_at - record.ttl_seconds, name)
            for name, is_established in oldest
            if (record := SessionRecord(*self._rows[name])).lease_expires_at <= now
        ]
        if not idle:
            raise Overloaded("memory sessions: the limit of this process is reached, and all are in use")
        log.warning("sessions.session_lost")
        self._drop(min(idle)[2])

    def _touch(self, name: str, record: SessionRecord, now: float) -> None:
        """Give the record its whole time to live again, and store it."""
        self._leave_order(record)
        record.expires_at = now + record.ttl_seconds
        record.is_established = record.version > 1 and record.session is not None
        order = self._by_use.setdefault((record.ttl_seconds, record.is_established), UseOrder())
        record.order_number = order.add_name(name)
        self._rows[name] = record.to_row()

    def _leave_order(self, record: SessionRecord) -> None:
        """Take a session out of the order of those used like it."""
        if (order := self._by_use.get((record.ttl_seconds, record.is_established))) is not None:
            order.remove_number(record.order_number)

    def _drop(self, name: str) -> None:
        """Remove a session, if it is there, and wake the requests that wait for it."""
        row = self._rows.pop(name, None)
        if row is not None:
            self._leave_order(SessionRecord(*row))
            self._wake_waiting(name)

    def _evict_expired(self, now: float) -> None:
        """Evict at most two expired sessions of each TTL per new one: a bounded cost, and none pile up."""
        for order in self._by_use.values():
            for name in order.list_oldest(2):
                if not SessionRecord(*self._rows[name]).has_expired(now):
                    break
                self._drop(name)
