"""Redis session store: one Lua script opens a turn (load, lease, rate limit), one saves it."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any, Literal

from flows.domain.ports import OpenedSession, SessionKey
from flows.domain.records import Secret
from storage.crypto import SessionCipher
from storage.sessions.codec import seal_body, unseal_body
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.lua_scripts import (
    ACKNOWLEDGE_REPLY,
    DROP_SESSION,
    FORGET_SUBSCRIBER,
    OPEN_SESSION,
    POINT_SEPARATOR,
    RELEASE_LEASE,
    SAVE_RECALLED,
    SAVE_SESSION,
)
from storage.sessions.saved_turns import SavedTurn, SavedTurns
from storage.sessions.script_client import ScriptArgument, ScriptClient

_Status = Literal["new", "live", "ended", "replay", "busy", "limited"]
_STATUSES: tuple[_Status, ...] = ("new", "live", "ended", "replay", "busy", "limited")
_NEW_CODE, _BUSY_CODE = 0, 4
_LIVE_KIND, _ENDED_KIND = 0xD1, 0xD2
_MAX_HOP_BYTES = 12
_VERSION_COUNT = 1 << 32
_POLL_INTERVALS_SECONDS = (0.01, 0.015, 0.02)


class RedisSessions:
    """The `Sessions` port on Redis 7, shared by any number of processes.

    Raises Slow and Down only. Times are the server's: a session expires `ttl_seconds` (the key's,
    else the store's) after its last turn,
    a lease after `lease_seconds`; a concurrent request polls every 10 to 20 ms for `wait_seconds`. A hop
    must hold nothing secret. Stored in Redis: keyed hashes as keys, and session, reply and resume point,
    encrypted. What this process saved last is remembered for `recall` by `now`, a monotonic clock.

    Measured (Redis 7.0, jemalloc, MEMORY USAGE): a session of 191 bytes with a reply of 142 takes 552
    bytes including its key; compressed it would be 400. The rate-limit key takes 72 for some seconds.
    """

    def __init__(
        self,
        scripts: ScriptClient,
        secret: Secret,
        ttl_seconds: float = 180.0,
        rate_limit: TurnRateLimit | None = None,
        wait_seconds: float = 5.0,
        lease_seconds: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scripts, self._cipher = scripts, SessionCipher(secret)
        self._saved_turns = SavedTurns(now)
        self._wait_seconds = wait_seconds
        self._ttl_seconds = ttl_seconds
        window_us = ceil(rate_limit.window_seconds * 1e6) if rate_limit else 0
        interval_us = window_us // rate_limit.max_turns if rate_limit else 0
        self._lease_ms, self._rate_arguments = ceil(lease_seconds * 1000), (interval_us, window_us)

    def recall(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """Implement `Sessions.recall`."""
        turn = self._saved_turns.take_turn(_session_key(key), _shorten_hop(request_id))
        if turn is None:
            return None
        return OpenedSession("live", turn.version, turn.fencing_token, turn.session, is_recalled=True)

    async def open(self, key: SessionKey, request_id: str) -> OpenedSession:
        """Implement `Sessions.open`; a session that cannot be decoded is deleted, and a new one started."""
        opened = await self._try_open(key, request_id) or await self._poll_for_lease(key, request_id)
        if opened.fencing_token:
            self._saved_turns.forget_session(_session_key(key))
        return opened

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
        kind = _ENDED_KIND if session is None else _LIVE_KIND
        hop, name = _shorten_hop(request_id), _session_key(key)
        record = (kind, hop, seal_body(self._cipher, name, session, reply), self._ttl_ms(key))
        point = key.session_hash if can_resume and session is not None else ""
        arguments = (opened.version, opened.fencing_token, *record, _resume_ms(key), point)
        token = await self._run_save(key, opened, arguments)
        if token and session is not None:
            version = (opened.version + 1) % _VERSION_COUNT
            self._saved_turns.remember_turn(name, SavedTurn(version, token, hop, session))
        return bool(token)

    async def _run_save(
        self, key: SessionKey, opened: OpenedSession, arguments: tuple[ScriptArgument, ...]
    ) -> int:
        """Run the script that saves; return the token of the record, 0 when nothing was stored."""
        names = (_session_key(key), _resume_key(key))
        if not opened.is_recalled:
            is_saved = await self._scripts.run_script(SAVE_SESSION, *names, *arguments)
            return opened.fencing_token if is_saved else 0
        limit = self._rate_arguments
        return int(await self._scripts.run_script(SAVE_RECALLED, *names, _bucket_key(key), *arguments, *limit))

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Implement `Sessions.acknowledge_reply`."""
        await self._scripts.run_script(ACKNOWLEDGE_REPLY, _session_key(key), version)
        self._saved_turns.acknowledge_turn(_session_key(key), version)

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease if it is still ours."""
        await self._scripts.run_script(RELEASE_LEASE, _session_key(key), opened.fencing_token)

    async def delete_session(self, key: SessionKey) -> None:
        """Delete the session; the holder of its lease can no longer save."""
        self._saved_turns.forget_session(_session_key(key))
        await self._scripts.run_script(DROP_SESSION, _session_key(key))

    async def forget_subscriber(self, tag: str) -> int:
        """Delete a subscriber's sessions by SCAN over all of Redis, about 2000 keys a step; return how many."""
        self._saved_turns.forget_sessions(f"{{{tag}}}")
        cursor, count = "0", 0
        while True:
            cursor, deleted = await self._scripts.run_script(FORGET_SUBSCRIBER, f"{{{tag}}}", cursor)
            count += int(deleted)
            if cursor == b"0":
                return count

    async def load_scripts(self) -> None:
        """Connect and load the scripts within ten times a call's budget; Slow or Down when that fails."""
        await self._scripts.load_scripts(
            OPEN_SESSION, SAVE_SESSION, SAVE_RECALLED, RELEASE_LEASE, ACKNOWLEDGE_REPLY, DROP_SESSION
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._scripts.aclose()

    async def _poll_for_lease(self, key: SessionKey, request_id: str) -> OpenedSession:
        """Poll for the lease: notifications would cost every turn, and concurrent requests are rare."""
        loop = asyncio.get_running_loop()
        end, attempts = loop.time() + self._wait_seconds, 0
        while loop.time() < end:
            await asyncio.sleep(_POLL_INTERVALS_SECONDS[min(attempts, len(_POLL_INTERVALS_SECONDS) - 1)])
            attempts += 1
            opened = await self._try_open(key, request_id)
            if opened is not None:
                return opened
        return OpenedSession("busy")

    async def _try_open(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """Run the open script once; None when another turn holds the lease."""
        names = (_session_key(key), _bucket_key(key), _resume_key(key))
        times = (self._lease_ms, self._ttl_ms(key), *self._rate_arguments, _resume_ms(key))
        arguments = (_shorten_hop(request_id), *times)
        answer = await self._scripts.run_script(OPEN_SESSION, *names, *arguments)
        try:
            return self._parse_answer(key, answer)
        except ValueError:
            await self.delete_session(key)
            return self._parse_answer(key, await self._scripts.run_script(OPEN_SESSION, *names, *arguments))

    def _ttl_ms(self, key: SessionKey) -> int:
        """Return the session's time to live, by the key or else by the store."""
        return ceil((key.ttl_seconds or self._ttl_seconds) * 1000)

    def _parse_answer(self, key: SessionKey, answer: list[Any]) -> OpenedSession | None:
        if answer[0] == _BUSY_CODE:
            return None
        if len(answer) == 1:
            return OpenedSession("limited")
        code, version, token, body, *points = answer
        if code == _NEW_CODE:
            point = self._read_resume_point(key, points[0])
            return OpenedSession("new", version, token, resume_point=point)
        session, reply = unseal_body(self._cipher, _session_key(key), body)
        return OpenedSession(_STATUSES[code], version, token, session or None, reply)

    def _read_resume_point(self, key: SessionKey, value: bytes) -> bytes | None:
        """Return the session of a resume point; None when there is none or it cannot be read.

        It begins with the hash of the session it was stored for, under whose name it is sealed.
        """
        session_hash, _, body = value.partition(POINT_SEPARATOR)
        try:
            name = _session_key(replace(key, session_hash=session_hash.decode()))
            return unseal_body(self._cipher, name, body)[0] if body else None
        except ValueError:
            return None


def _resume_key(key: SessionKey) -> str:
    return f"{{{key.subscriber_hash}}}{key.resume_hash}"


def _resume_ms(key: SessionKey) -> int:
    return ceil(key.resume_seconds * 1000) if key.resume_hash else 0


def _session_key(key: SessionKey) -> str:
    return f"{{{key.subscriber_hash}}}{key.session_hash}"


def _bucket_key(key: SessionKey) -> str:
    return f"{{{key.subscriber_hash}}}"


def _shorten_hop(request_id: str) -> bytes:
    """Return the hop, or a 12-byte hash of a longer one."""
    plain = request_id.encode()
    return (
        plain if len(plain) <= _MAX_HOP_BYTES else hashlib.blake2b(plain, digest_size=_MAX_HOP_BYTES).digest()
    )
