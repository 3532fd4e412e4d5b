"""In-memory session store of one process."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from flows.domain.failures import Overloaded
from flows.domain.ports import Opened, SessionKey
from storage.sessions.leaky_bucket import Buckets, Rate

_BUSY = Opened("busy")
_LIMITED = Opened("limited")


@dataclass(slots=True)
class _Entry:
    expires: float
    version: int = 0
    lease: int = 0
    until: float = 0.0
    """When the lease expires; 0 when it is free."""
    hop: str | None = None
    session: bytes | None = None
    reply: bytes | None = None
    freed: asyncio.Event | None = None
    """Set when the lease is released; created by the first concurrent request that waits."""

    def found(self) -> Opened:
        """Return the leased session: `live` with its bytes, or `new`."""
        return Opened("live" if self.version else "new", self.version, self.lease, self.session)

    def free(self) -> None:
        """Free the lease and wake the waiting requests."""
        self.until = 0.0
        if self.freed is not None:
            self.freed.set()
            self.freed = None


class MemorySessions:
    """The `Sessions` port for one process: everything is lost when it ends.

    Times are seconds of `now`, a monotonic clock. A session expires `ttl_seconds` after its last turn.
    A lease expires after `lease_seconds`; a concurrent request waits `wait_seconds` for it.
    At `max_entries` sessions a new one raises Overloaded; existing ones continue.
    """

    def __init__(
        self,
        now: Callable[[], float],
        ttl_seconds: float = 180.0,
        limit: Rate | None = None,
        wait_seconds: float = 5.0,
        lease_seconds: float = 10.0,
        entries: int = 100_000,
    ) -> None:
        self._now = now
        self._ttl = ttl_seconds
        self._wait_seconds = wait_seconds
        self._lease_seconds = lease_seconds
        self._limit = Buckets(limit, 2 * entries) if limit else None
        self._most = entries
        self._fences = count(1)
        # Least recently used first, which is also the order of expiry: every turn gives the same TTL.
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of stored sessions, including expired ones not yet evicted."""
        return len(self._entries)

    def holds(self, key: SessionKey) -> bool:
        """Return whether an unexpired session is stored under this key."""
        return self._alive((key.tag, key.name), self._now()) is not None if self._entries else False

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """Implement `Sessions.open`: load, lease, replay check and rate limit; Overloaded when full."""
        opened = self._open(key, hop)
        return opened if opened is not _BUSY else await self._wait(key, hop)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Store both if lease and version are still those of `opened`; None ends the conversation."""
        name, now = (key.tag, key.name), self._now()
        entry = self._held(name, opened, now)
        if entry is None or entry.version != opened.version:
            return False
        self._write(name, entry, hop, session, reply)
        entry.expires = now + self._ttl
        entry.free()
        return True

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Release the lease if it is still ours."""
        name = (key.tag, key.name)
        entry = self._held(name, opened, self._now())
        if entry is None:
            return
        if not entry.version:
            del self._entries[name]
        entry.free()

    async def drop(self, key: SessionKey) -> None:
        """Delete the session; the holder of its lease can no longer save."""
        entry = self._entries.pop((key.tag, key.name), None)
        if entry is not None:
            entry.free()

    async def forget(self, tag: str) -> int:
        """Delete a subscriber's sessions in this process; return how many there were."""
        names = [name for name in self._entries if name[0] == tag]
        for name in names:
            self._entries.pop(name).free()
        return len(names)

    def keep(self, key: SessionKey, version: int, hop: str, session: bytes | None, reply: bytes) -> None:
        """Store a turn that was opened in another store, replacing what is here; Overloaded when full."""
        name, now = (key.tag, key.name), self._now()
        entry = self._alive(name, now) or self._add(name, now)
        entry.version = version
        self._write(name, entry, hop, session, reply)
        entry.free()

    def _open(self, key: SessionKey, hop: str) -> Opened:
        name, now = (key.tag, key.name), self._now()
        entry = self._alive(name, now)
        if entry is not None:
            if entry.version and entry.hop == hop:
                return Opened("replay", entry.version, 0, entry.session, entry.reply)
            if entry.version and entry.session is None:
                return Opened("ended", entry.version, 0, None, entry.reply)
            if entry.until > now:
                return _BUSY
        if self._limit is not None and not self._limit.take(key.tag, now):
            return _LIMITED
        return self._lease(name, entry or self._add(name, now), now)

    def _lease(self, name: tuple[str, str], entry: _Entry, now: float) -> Opened:
        entry.lease = next(self._fences)
        entry.until = now + self._lease_seconds
        entry.expires = now + self._ttl
        self._entries.move_to_end(name)
        return entry.found()

    async def _wait(self, key: SessionKey, hop: str) -> Opened:
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (opened := self._open(key, hop)) is _BUSY:
                    await self._freed(self._entries[(key.tag, key.name)])
        except TimeoutError:
            return _BUSY
        return opened

    async def _freed(self, entry: _Entry) -> None:
        """Return when the lease is released or expired."""
        entry.freed = entry.freed or asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(entry.until - self._now()):
                await entry.freed.wait()

    def _alive(self, name: tuple[str, str], now: float) -> _Entry | None:
        entry = self._entries.get(name)
        if entry is not None and entry.expires <= now:
            del self._entries[name]
            entry.free()
            return None
        return entry

    def _held(self, name: tuple[str, str], opened: Opened, now: float) -> _Entry | None:
        entry = self._alive(name, now)
        is_ours = entry is not None and entry.until and entry.lease == opened.lease
        return entry if is_ours else None

    def _add(self, name: tuple[str, str], now: float) -> _Entry:
        self._sweep(now)
        if len(self._entries) >= self._most:
            raise Overloaded("memory sessions: the limit of this process is reached")
        entry = self._entries[name] = _Entry(now + self._ttl)
        return entry

    def _sweep(self, now: float) -> None:
        """Evict at most two expired sessions per new one: they do not pile up, at a bounded cost per turn."""
        for _ in range(min(2, len(self._entries))):
            oldest = next(iter(self._entries))
            if self._entries[oldest].expires > now:
                return
            self._entries.pop(oldest).free()

    def _write(
        self, name: tuple[str, str], entry: _Entry, hop: str, session: bytes | None, reply: bytes
    ) -> None:
        entry.version += 1
        entry.hop = hop
        entry.session = session
        entry.reply = reply
        self._entries.move_to_end(name)
