"""Live sessions in this process's memory."""

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
    """When the lease runs out; 0 when nobody holds it."""
    hop: str | None = None
    session: bytes | None = None
    reply: bytes | None = None
    freed: asyncio.Event | None = None
    """Made by the first twin that has to wait."""

    def found(self) -> Opened:
        """Ours to move: with what was there before, if anything was."""
        return Opened("live" if self.version else "new", self.version, self.lease, self.session)

    def free(self) -> None:
        """Nobody holds the lease; whoever waits looks again."""
        self.until = 0.0
        if self.freed is not None:
            self.freed.set()
            self.freed = None


class MemorySessions:
    """The `Sessions` port for one process: everything is gone when it ends.

    Times are seconds of `now`, a clock that never runs backward. A session lives `ttl_seconds` from
    its last turn. A lease runs out after `lease_seconds`; a twin waits `wait_seconds` for it.
    At `entries` sessions the next new one raises Overloaded; those alive go on.
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
        # The one touched longest ago first: every turn gives the same time to live.
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def __len__(self) -> int:
        """Sessions kept, some of them perhaps expired and not yet swept out."""
        return len(self._entries)

    def holds(self, key: SessionKey) -> bool:
        """Is something kept under this key?"""
        return self._alive((key.tag, key.name), self._now()) is not None if self._entries else False

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """Load, lease, check for replay and count, as `Sessions.open` says; Overloaded when full."""
        opened = self._open(key, hop)
        return opened if opened is not _BUSY else await self._wait(key, hop)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Keep both if lease and version are still those of `opened`; None ends the conversation."""
        name, now = (key.tag, key.name), self._now()
        entry = self._held(name, opened, now)
        if entry is None or entry.version != opened.version:
            return False
        self._write(name, entry, hop, session, reply)
        entry.expires = now + self._ttl
        entry.free()
        return True

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Give the lease back, if it is still ours."""
        name = (key.tag, key.name)
        entry = self._held(name, opened, self._now())
        if entry is None:
            return
        if not entry.version:
            del self._entries[name]
        entry.free()

    async def drop(self, key: SessionKey) -> None:
        """Forget it; whoever holds its lease can no longer save."""
        entry = self._entries.pop((key.tag, key.name), None)
        if entry is not None:
            entry.free()

    async def forget(self, tag: str) -> int:
        """Forget a subscriber's conversations, as `Sessions.forget` says: those of this process."""
        names = [name for name in self._entries if name[0] == tag]
        for name in names:
            self._entries.pop(name).free()
        return len(names)

    def keep(self, key: SessionKey, version: int, hop: str, session: bytes | None, reply: bytes) -> None:
        """Take over a turn made elsewhere, whatever was here before; Overloaded when full."""
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
        """Return when the lease is given back, or when it has run out."""
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
        ours = entry is not None and entry.until and entry.lease == opened.lease
        return entry if ours else None

    def _add(self, name: tuple[str, str], now: float) -> _Entry:
        self._sweep(now)
        if len(self._entries) >= self._most:
            raise Overloaded("as many sessions as this process may hold")
        entry = self._entries[name] = _Entry(now + self._ttl)
        return entry

    def _sweep(self, now: float) -> None:
        """Two out for one in: the dead never pile up, and no turn pays for more than two."""
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
