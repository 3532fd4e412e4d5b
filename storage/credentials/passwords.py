"""Passwords and PINs in SQL: argon2id in a bounded thread pool, attempts counted before hashing."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import Overloaded
from flows.domain.records import Secret
from storage.credentials.attempt_budgets import AttemptBudgets, AttemptLimit
from storage.credentials.attempt_counter import MAX_WRONG_PER_DAY, AttemptCounter
from storage.crypto import derive_key
from storage.sql.engine import Database
from storage.sql.tables import password_tries, passwords

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
ROUNDS = 2
MAX_MEMORY_KIB, MAX_ROUNDS = 64 * 1024, 10
"""Limits on the cost parameters of a stored hash; a hash above them is never verified (denial of service)."""
MAX_CHECKS = 64
"""Checks for lines' own handsets that may run or wait at once, about 25 ms each; the next is shed."""
MAX_CHECKS_OF_OTHERS, MAX_CHECKS_PER_TARGET = 16, 4
"""Checks that anybody else asks for, in all and at one line: strangers' tries never shed an owner's."""

OTHERS_SUFFIX = "/others"
"""Suffix of the kind under which tries from anywhere but the line's own handset are counted."""
PIN_SOURCE_LIMIT = AttemptLimit(20, timedelta(days=1))
"""Wrong PINs, passwords and customer codes from one phone that is not the line's own."""
PIN_OPERATOR_LIMIT = AttemptLimit(300, timedelta(hours=1))
"""The same from all such phones at one operator; it never blocks a line's own handset."""

HASHER = PasswordHasher(ROUNDS, MEMORY_KIB, parallelism=1, type=Type.ID)
WRONG_PASSWORD_COUNTER = AttemptCounter(password_tries)
_PASSWORD_KEY = tuple(passwords.c[name] == bindparam(name) for name in ("operator", "number", "kind"))
SELECT_HASH = select(passwords.c.hash).where(*_PASSWORD_KEY)
_INSERT_HASH = insert(passwords)
UPSERT_HASH = _INSERT_HASH.on_conflict_do_update(
    index_elements=list(passwords.primary_key.columns),
    set_={"hash": _INSERT_HASH.excluded.hash, "at": _INSERT_HASH.excluded.at},
)
DELETE_ATTEMPTS = delete(password_tries).where(
    *(password_tries.c[name] == bindparam(name) for name in ("operator", "number", "kind"))
)


@cache
def dummy_hash(hasher: PasswordHasher) -> str:
    """Return a random hash to verify for unknown numbers: it takes as long and never matches."""
    return hasher.hash(os.urandom(16))


def hash_matches(stored: str, password: Secret) -> bool:
    """Return whether a password has this argon2 hash; takes 20 ms or more, so call it in a thread."""
    try:
        return HASHER.verify(stored, password.value)
    except (VerificationError, InvalidHashError):
        return False


def is_affordable(stored: str) -> bool:
    """Return whether a stored hash may be verified: its own parameters set the cost, and it may be forged."""
    try:
        parameters = extract_parameters(stored)
    except ValueError:
        return False
    return parameters.memory_cost <= MAX_MEMORY_KIB and parameters.time_cost <= MAX_ROUNDS and stored.isascii()


class SqlPasswords:
    """Implements the `Passwords` port.

    `workers` threads hash (default: all cores but one); at most `max_checks` checks for lines' own handsets
    run or wait, and MAX_CHECKS_OF_OTHERS for everybody else.
    `hasher` sets the cost of new hashes; a stored hash carries its own cost parameters.
    """

    def __init__(
        self,
        database: Database,
        secret: Secret | None = None,
        workers: int | None = None,
        max_checks: int = MAX_CHECKS,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._database = database
        key = derive_key(secret, "codes") if secret else os.urandom(32)
        self._budgets = AttemptBudgets(key, PIN_SOURCE_LIMIT, PIN_OPERATOR_LIMIT, prefix="pin ")
        self._hasher = hasher
        self._dummy_hash = dummy_hash(hasher)
        self._pool = ThreadPoolExecutor(workers or max(1, (os.cpu_count() or 1) - 1), "argon2")
        self.check_limit = ConcurrencyLimit(max_checks)
        """Checks for own handsets that run, or wait for a thread of the pool."""
        self.others_limit = ConcurrencyLimit(min(max_checks, MAX_CHECKS_OF_OTHERS))
        """Checks that anybody else asked for."""
        self._checks_by_target: Counter[tuple[str, str]] = Counter()

    async def verify_password(
        self, operator: str, number: str, secret: Secret, kind: str, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Verify a secret; the attempt is counted before it is verified and taken back when it matches.

        Nine wrong attempts within a day of the first lock this kind of secret of this number, apart for the
        line's own handset (no source) and for everybody else, whose sources have budgets, too (T10, T11).
        `locked` is returned without hashing. Raises Overloaded when too many checks wait; that counts nothing.
        """
        key = {"operator": operator, "number": number, "kind": kind}
        tries = {**key, "kind": kind + (OTHERS_SUFFIX if source else "")}
        async with self._admit_check(operator, number, source):
            stored = await self._database.write(
                lambda connection: self._count_attempt(connection, key, tries, now, source)
            )
            if stored is None:
                return "locked"
            verified_hash = stored if is_affordable(stored) else self._dummy_hash
            matches = await self._run_in_pool(lambda: hash_matches(verified_hash, secret))
        if not matches or verified_hash != stored:
            return "wrong"
        await self._database.write(lambda connection: self._take_back(connection, operator, tries, now, source))
        return "ok"

    @asynccontextmanager
    async def _admit_check(self, operator: str, number: str, source: str) -> AsyncIterator[None]:
        """Hold a place for a check; Overloaded when there is none for who asks, or at this line."""
        if not source:
            async with self.check_limit:
                yield
            return
        target = operator, number
        if self._checks_by_target[target] >= MAX_CHECKS_PER_TARGET:
            raise Overloaded
        self._checks_by_target[target] += 1
        try:
            async with self.others_limit:
                yield
        finally:
            self._checks_by_target[target] -= 1
            if not self._checks_by_target[target]:
                del self._checks_by_target[target]

    def _count_attempt(
        self, connection: Connection, key: dict[str, Any], tries: dict[str, Any], now: datetime, source: str
    ) -> str | None:
        """Count the attempt and return the stored hash: None when locked, empty when there is none."""
        operator = key["operator"]
        if source and not self._budgets.allows_attempt(connection, operator, source, now):
            return None
        if WRONG_PASSWORD_COUNTER.lock_and_count(connection, tries, now) >= MAX_WRONG_PER_DAY:
            return None
        WRONG_PASSWORD_COUNTER.add_wrong(connection, tries, 1)
        stored = connection.execute(SELECT_HASH, key).scalar() or ""
        if source:
            self._budgets.count_wrong_code(connection, operator, source, now, could_succeed=bool(stored))
        return stored

    def _take_back(
        self, connection: Connection, operator: str, tries: dict[str, Any], now: datetime, source: str
    ) -> None:
        """Take an attempt back that was right."""
        WRONG_PASSWORD_COUNTER.add_wrong(connection, tries, -1)
        if source:
            self._budgets.take_back(connection, operator, source, now)

    async def set_password(self, operator: str, number: str, secret: Secret, kind: str, now: datetime) -> None:
        """Set or replace a secret and reset its wrong attempts; Overloaded when too many checks wait."""
        key = {"operator": operator, "number": number, "kind": kind}
        async with self.check_limit:
            new_hash = await self._run_in_pool(lambda: self._hasher.hash(secret.value))
        row = {**key, "hash": new_hash, "at": now}
        await self._database.write(lambda connection: _store_hash(connection, key, row))

    async def has_secret(self, operator: str, number: str, kind: str) -> bool:
        """Return whether the number has a secret of this kind; for set-up only.

        Never show the answer to a caller: it would tell which numbers exist (enumeration oracle).
        """
        key = {"operator": operator, "number": number, "kind": kind}
        row = await self._database.read(lambda connection: connection.execute(SELECT_HASH, key).first())
        return row is not None

    def close(self) -> None:
        """Stop the pool's threads; blocks until the running checks are done."""
        self._pool.shutdown()

    async def _run_in_pool(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _store_hash(connection: Connection, key: dict[str, Any], row: dict[str, Any]) -> None:
    connection.execute(UPSERT_HASH, row)
    for suffix in ("", OTHERS_SUFFIX):
        connection.execute(DELETE_ATTEMPTS, {**key, "kind": key["kind"] + suffix})
