"""Redis session store: one Lua script opens a turn (load, lease, rate limit), one saves it."""

import asyncio
import hashlib
from math import ceil
from typing import Any, Literal

from flows.domain.ports import Opened, SessionKey
from storage.sessions.codec import packed, unpacked
from storage.sessions.leaky_bucket import Rate
from storage.sessions.lua_scripts import DROP, FORGET, OPEN, RELEASE, SAVE
from storage.sessions.pipelining import Caller

_Status = Literal["new", "live", "ended", "replay", "busy", "limited"]
_STATUS: tuple[_Status, ...] = ("new", "live", "ended", "replay", "busy", "limited")
_NEW, _BUSY = 0, 4
_LIVE, _ENDED = 0xD1, 0xD2
_HOP_BYTES = 12
_POLL_SECONDS = (0.01, 0.015, 0.02)


class RedisSessions:
    """The `Sessions` port on Redis 7, shared by any number of processes.

    Raises Slow and Down only. Times are the server's: a session expires `ttl_seconds` after its last turn,
    a lease after `lease_seconds`; a concurrent request polls every 10 to 20 ms for `wait_seconds`. A hop
    must hold nothing secret. Stored in Redis: keyed hashes as keys, and the bytes of session and reply.

    Measured (Redis 7.0, jemalloc, MEMORY USAGE): a session of 191 bytes with a reply of 142 takes 360
    bytes including its key; without compression 488. The rate-limit key takes 72 for some seconds.
    """

    def __init__(
        self,
        caller: Caller,
        ttl_seconds: float = 180.0,
        limit: Rate | None = None,
        wait_seconds: float = 5.0,
        lease_seconds: float = 10.0,
    ) -> None:
        self._caller = caller
        self._wait_seconds = wait_seconds
        self._ttl_ms = ceil(ttl_seconds * 1000)
        window_us = ceil(limit.seconds * 1e6) if limit else 0
        interval_us = window_us // limit.turns if limit else 0
        self._limits = (ceil(lease_seconds * 1000), self._ttl_ms, interval_us, window_us)

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """Implement `Sessions.open`; a session that cannot be decoded is deleted and started anew."""
        opened = await self._opened(key, hop)
        return opened if opened is not None else await self._wait(key, hop)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Store both if lease and version are still those of `opened`; None ends the conversation."""
        kind = _ENDED if session is None else _LIVE
        proof = (opened.version, opened.lease, kind, _short(hop))
        return bool(await self._caller.call(SAVE, _name(key), *proof, packed(session, reply), self._ttl_ms))

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Release the lease if it is still ours."""
        await self._caller.call(RELEASE, _name(key), opened.lease)

    async def drop(self, key: SessionKey) -> None:
        """Delete the session; the holder of its lease can no longer save."""
        await self._caller.call(DROP, _name(key))

    async def forget(self, tag: str) -> int:
        """Delete a subscriber's sessions by SCAN over all of Redis, about 2000 keys a step; return how many."""
        cursor, count = "0", 0
        while True:
            cursor, deleted = await self._caller.call(FORGET, f"{{{tag}}}", cursor)
            count += int(deleted)
            if cursor == b"0":
                return count

    async def ready(self) -> None:
        """Connect and load the scripts within ten times a call's budget; Slow or Down when that fails."""
        await self._caller.load(OPEN, SAVE, RELEASE, DROP)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._caller.aclose()

    async def _wait(self, key: SessionKey, hop: str) -> Opened:
        """Poll for the lease: notifications would cost every turn, and concurrent requests are rare."""
        loop = asyncio.get_running_loop()
        end, attempts = loop.time() + self._wait_seconds, 0
        while loop.time() < end:
            await asyncio.sleep(_POLL_SECONDS[min(attempts, len(_POLL_SECONDS) - 1)])
            attempts += 1
            opened = await self._opened(key, hop)
            if opened is not None:
                return opened
        return Opened("busy")

    async def _opened(self, key: SessionKey, hop: str) -> Opened | None:
        """Run the open script once; None when another turn holds the lease."""
        names = (_name(key), _bucket(key))
        answer = await self._caller.call(OPEN, *names, _short(hop), *self._limits)
        try:
            return _read(answer)
        except ValueError:
            await self.drop(key)
            return _read(await self._caller.call(OPEN, *names, _short(hop), *self._limits))


def _read(answer: list[Any]) -> Opened | None:
    if answer[0] == _BUSY:
        return None
    if len(answer) == 1:
        return Opened("limited")
    code, version, token, body = answer
    if code == _NEW:
        return Opened("new", version, token)
    session, reply = unpacked(body)
    return Opened(_STATUS[code], version, token, session or None, reply)


def _name(key: SessionKey) -> str:
    return f"{{{key.tag}}}{key.name}"


def _bucket(key: SessionKey) -> str:
    return f"{{{key.tag}}}"


def _short(hop: str) -> bytes:
    """Return the hop, or a 12-byte hash of a longer one."""
    plain = hop.encode()
    return plain if len(plain) <= _HOP_BYTES else hashlib.blake2b(plain, digest_size=_HOP_BYTES).digest()
