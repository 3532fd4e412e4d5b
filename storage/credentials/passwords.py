"""Passwords and PINs in SQL: argon2id in a bounded thread pool, attempts counted before hashing."""

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
"""Limits on the cost parameters of a stored hash; a hash above them is never verified (denial of service)."""
WAITING = 32
"""Checks that may run or wait at once, about 25 ms each; the next raises Overloaded (load shedding)."""

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
    """Return a random hash to verify for unknown numbers: it takes as long and never matches."""
    return hasher.hash(os.urandom(16))


def _same(stored: str, given: str) -> bool:
    try:
        return HASHER.verify(stored, given)
    except (VerificationError, InvalidHashError):
        return False


def _bearable(stored: str) -> bool:
    """Return whether a stored hash may be verified: its own parameters set the cost, and it may be forged."""
    try:
        parameters = extract_parameters(stored)
    except ValueError:
        return False
    return (
        parameters.memory_cost <= MOST_MEMORY_KIB and parameters.time_cost <= MOST_ROUNDS and stored.isascii()
    )


class SqlPasswords:
    """Implements the `Passwords` port.

    `workers` threads hash (default: all cores but one); at most `max_checks` checks run or wait.
    `hasher` sets the cost of new hashes; a stored hash carries its own cost parameters.
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
        """Verify a secret; the attempt is counted before it is verified and taken back when it matches.

        Nine wrong attempts within a day of the first lock this kind of secret of this number; `locked`
        is returned without hashing. Raises Overloaded when too many checks wait; that counts nothing.
        """
        key = {"operator": operator, "number": number, "kind": kind}
        self._let_in()
        try:
            stored = await self._database.write(lambda connection: _begin(connection, key, now))
            if stored is None:
                return "locked"
            verified_hash = stored if _bearable(stored) else self._nobodys
            matches = await self._hashing(lambda: _same(verified_hash, secret.value))
        finally:
            self._inside -= 1
        if not matches or verified_hash != stored:
            return "wrong"
        await self._database.write(lambda connection: TRIES.add(connection, key, -1))
        return "ok"

    async def put(self, operator: str, number: str, secret: Secret, kind: str, now: datetime) -> None:
        """Set or replace a secret and reset its wrong attempts; Overloaded when too many checks wait."""
        key = {"operator": operator, "number": number, "kind": kind}
        self._let_in()
        try:
            new_hash = await self._hashing(lambda: self._hasher.hash(secret.value))
        finally:
            self._inside -= 1
        row = {**key, "hash": new_hash, "at": now}
        await self._database.write(lambda connection: _put(connection, key, row))

    async def known(self, operator: str, number: str, kind: str) -> bool:
        """Return whether the number has a secret of this kind; for set-up only.

        Never show the answer to a caller: it would tell which numbers exist (enumeration oracle).
        """
        key = {"operator": operator, "number": number, "kind": kind}
        row = await self._database.read(lambda connection: connection.execute(LOOK, key).first())
        return row is not None

    async def purge(self, before: datetime) -> None:
        """Delete counters that began before this instant (24 hours ago or earlier)."""
        await self._database.write(lambda connection: connection.execute(PURGE, {"before": before}).close())

    def close(self) -> None:
        """Stop the pool's threads; blocks until the running checks are done."""
        self._pool.shutdown()

    def _let_in(self) -> None:
        if self._inside >= self._waiting:
            raise Overloaded
        self._inside += 1

    async def _hashing(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _begin(connection: Connection, key: dict[str, Any], now: datetime) -> str | None:
    """Count the attempt and return the stored hash: None when locked, empty when there is none."""
    if TRIES.lock(connection, key, now) >= WRONG_A_DAY:
        return None
    TRIES.add(connection, key, 1)
    return connection.execute(LOOK, key).scalar() or ""


def _put(connection: Connection, key: dict[str, Any], row: dict[str, Any]) -> None:
    connection.execute(PUT, row)
    connection.execute(FORGIVE, key)
