"""Passwords and PINs on SQL: argon2id in a bounded pool, tries counted before any hashing."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from flows.domain.failures import Overloaded
from flows.domain.records import Secret
from storage.credentials.attempt_counter import WRONG_A_DAY, Tries
from storage.sql.engine import Database
from storage.sql.schema import password_tries, passwords

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
ROUNDS = 2
MOST_MEMORY_KIB, MOST_ROUNDS = 64 * 1024, 10
"""A stored hash that asks for more is no password's."""
WAITING = 32
"""Checks that may be under way or wait, about 25 ms each; the next is shed."""

HASHER = PasswordHasher(ROUNDS, MEMORY_KIB, parallelism=1, type=Type.ID)
TRIES = Tries(password_tries)
_THIS = tuple(passwords.c[name] == bindparam(name) for name in ("operator", "number", "kind"))
LOOK = select(passwords.c.hash).where(*_THIS)
_PUTTING = insert(passwords)
PUT = _PUTTING.on_conflict_do_update(
    index_elements=list(passwords.primary_key.columns),
    set_={"hash": _PUTTING.excluded.hash, "at": _PUTTING.excluded.at},
)
FORGIVE = delete(password_tries).where(
    *(password_tries.c[name] == bindparam(name) for name in ("operator", "number", "kind"))
)
PURGE = delete(password_tries).where(password_tries.c.since < bindparam("before"))


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """What the password of an unknown number is compared with: it takes as long, and is never right."""
    return hasher.hash(os.urandom(16))


def _same(stored: str, given: str) -> bool:
    try:
        return HASHER.verify(stored, given)
    except (VerificationError, InvalidHashError):
        return False


def _bearable(stored: str) -> bool:
    """May this be compared with? A hash says itself how long it takes, and whoever wrote it may be anybody."""
    try:
        told = extract_parameters(stored)
    except ValueError:
        return False
    return told.memory_cost <= MOST_MEMORY_KIB and told.time_cost <= MOST_ROUNDS and stored.isascii()


class SqlPasswords:
    """The `Passwords` port. `workers` hash at a time (one core is left free), `waiting` are let in.

    `hasher` says what a new hash costs; what is stored says by itself what it cost.
    """

    def __init__(
        self,
        database: Database,
        workers: int | None = None,
        waiting: int = WAITING,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._nobodys = _nobodys(hasher)
        self._pool = ThreadPoolExecutor(workers or max(1, (os.cpu_count() or 1) - 1), "argon2")
        self._waiting = waiting
        self._inside = 0

    async def check(
        self, operator: str, number: str, secret: Secret, kind: str, now: datetime
    ) -> Literal["ok", "wrong", "locked"]:
        """Compare; the try is counted before it is judged and given back when it was right.

        Nine wrong ones within a day of the first lock this kind of secret of this number; `locked`
        comes without hashing. A shed check counts nothing.
        """
        key = {"operator": operator, "number": number, "kind": kind}
        self._let_in()
        try:
            stored = await self._database.write(lambda connection: _begin(connection, key, now))
            if stored is None:
                return "locked"
            known = stored if _bearable(stored) else self._nobodys
            same = await self._hashing(lambda: _same(known, secret.value))
        finally:
            self._inside -= 1
        if not same or known != stored:
            return "wrong"
        await self._database.write(lambda connection: TRIES.add(connection, key, -1))
        return "ok"

    async def put(self, operator: str, number: str, secret: Secret, kind: str, now: datetime) -> None:
        """Set or replace; wrong tries at the one before are forgiven. Raises Overloaded when shed."""
        key = {"operator": operator, "number": number, "kind": kind}
        self._let_in()
        try:
            fresh = await self._hashing(lambda: self._hasher.hash(secret.value))
        finally:
            self._inside -= 1
        row = {**key, "hash": fresh, "at": now}
        await self._database.write(lambda connection: _put(connection, key, row))

    async def known(self, operator: str, number: str, kind: str) -> bool:
        """Is there a secret of this kind? For set-up only: answering this to a caller is an oracle."""
        key = {"operator": operator, "number": number, "kind": kind}
        row = await self._database.read(lambda connection: connection.execute(LOOK, key).first())
        return row is not None

    async def purge(self, before: datetime) -> None:
        """Forget counters begun before this instant: 24 hours ago or earlier."""
        await self._database.write(lambda connection: connection.execute(PURGE, {"before": before}).close())

    def close(self) -> None:
        """End the pool's threads; blocks until the checks under way are done."""
        self._pool.shutdown()

    def _let_in(self) -> None:
        if self._inside >= self._waiting:
            raise Overloaded
        self._inside += 1

    async def _hashing(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _begin(connection: Connection, key: dict[str, Any], now: datetime) -> str | None:
    """Count the try and fetch the hash: None when locked, empty when the number has none."""
    if TRIES.lock(connection, key, now) >= WRONG_A_DAY:
        return None
    TRIES.add(connection, key, 1)
    return connection.execute(LOOK, key).scalar() or ""


def _put(connection: Connection, key: dict[str, Any], row: dict[str, Any]) -> None:
    connection.execute(PUT, row)
    connection.execute(FORGIVE, key)
