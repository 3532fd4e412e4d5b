"""Sign-in of staff: argon2id in a thread, wrong passwords limited by user and by source (brute force)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from sqlalchemy import Connection

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.records import Secret
from storage.credentials.attempt_budgets import AttemptLimit
from storage.credentials.attempt_counter import AttemptCounter
from storage.credentials.passwords import HASHER, dummy_hash, hash_matches, is_affordable
from storage.crypto import derive_key, keyed_hash
from storage.sql.engine import Database
from storage.sql.tables import code_budgets

SignInOutcome = Literal["ok", "wrong", "locked"]
USER_LIMIT = AttemptLimit(10, timedelta(minutes=15))
"""Wrong passwords of one name, known or not, from all sources together."""
SOURCE_LIMIT = AttemptLimit(30, timedelta(minutes=15))
"""Wrong passwords from one client address."""
MAX_CHECKS = 8
"""Passwords checked at once; each takes 19 MiB and 20 ms or more."""


def hash_staff_password(password: Secret, hasher: PasswordHasher = HASHER) -> str:
    """Return the argon2id hash of a new password."""
    return hasher.hash(password.value)


class StaffSignIn:
    """Checks passwords of staff; attempts are counted before the check and taken back when it succeeds."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._key = derive_key(secret, "console")
        self._check_limit = ConcurrencyLimit(MAX_CHECKS)
        self._counters = [
            (AttemptCounter(code_budgets, limit.window), limit) for limit in (SOURCE_LIMIT, USER_LIMIT)
        ]

    async def check_password(
        self, username: str, source: str, stored_hash: str, password: Secret, now: datetime
    ) -> SignInOutcome:
        """Check a password against a stored hash, empty for a name that is not known, which takes as long.

        `locked` is returned without a check. Raises Overloaded when too many checks wait.
        """
        subjects = [self._subject("source", source), self._subject("user", username)]
        async with self._check_limit:
            if not await self._database.write(lambda connection: self._count(connection, subjects, now)):
                return "locked"
            known = stored_hash if is_affordable(stored_hash) else dummy_hash(HASHER)
            matches = await asyncio.to_thread(hash_matches, known, password)
        if not matches or known != stored_hash:
            return "wrong"
        await self._database.write(lambda connection: self._take_back(connection, subjects, now))
        return "ok"

    def _count(self, connection: Connection, subjects: Sequence[bytes], now: datetime) -> bool:
        """Count the attempt; return whether it may be made.

        Attempts beyond a limit write nothing: a source that is locked cannot fill the table with names.
        """
        pairs = [*zip(self._counters, subjects, strict=True)]
        for (counter, limit), subject in pairs:
            if counter.lock_and_count(connection, {"subject": subject}, now) >= limit.max_wrong:
                return False
        for (counter, _), subject in pairs:
            counter.add_wrong(connection, {"subject": subject}, 1)
        return True

    def _take_back(self, connection: Connection, subjects: Sequence[bytes], now: datetime) -> None:
        for (counter, _), subject in zip(self._counters, subjects, strict=True):
            if counter.lock_and_count(connection, {"subject": subject}, now) > 0:
                counter.add_wrong(connection, {"subject": subject}, -1)

    def _subject(self, what: str, name: str) -> bytes:
        return keyed_hash(self._key, f"console {what}", name)
