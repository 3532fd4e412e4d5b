"""One-time codes (OTP) in SQL: stored as keyed hashes, with limits that hold for parallel attempts."""

import json
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import CodeRequest, Secret
from storage import idempotency
from storage.credentials.attempt_budgets import OPERATOR, SOURCE, Budget, Budgets
from storage.credentials.attempt_counter import WRONG_A_DAY, Tries
from storage.crypto import Seal, derived, mark, subject
from storage.outbox.enqueue import PURPOSE, enqueue
from storage.sql.engine import Database
from storage.sql.schema import code_sends, code_tries, codes

WRONG_A_CODE = 5

LIMITS: tuple[tuple[int, timedelta, Literal["soon", "many"]], ...] = (
    (1, timedelta(seconds=30), "soon"),
    (3, timedelta(hours=1), "many"),
    (6, timedelta(days=1), "many"),
)
"""Rate limit of sends: (most sends, within this time, outcome of the next send)."""

MOST_SENDS = max(count for count, _within, _outcome in LIMITS)
NOBODYS_HASH = bytes(32)
"""Compared with when there is no code, so that both cases take the same time."""

TRIES = Tries(code_tries)
_ADDING = insert(code_sends)
LOCK_SENDS = _ADDING.on_conflict_do_update(
    index_elements=[code_sends.c.subject], set_={"subject": _ADDING.excluded.subject}
).returning(code_sends.c.times)
SENT = (
    update(code_sends)
    .where(code_sends.c.subject == bindparam("who"))
    .values(times=bindparam("times"), since=bindparam("since"))
)
_ISSUING = insert(codes)
ISSUE = _ISSUING.on_conflict_do_update(
    index_elements=[codes.c.subject, codes.c.purpose],
    set_={name: _ISSUING.excluded[name] for name in ("hash", "wrong", "expires_at")},
)
_THIS = (codes.c.subject == bindparam("who"), codes.c.purpose == bindparam("what"))
LOOK = select(codes.c.hash, codes.c.wrong, codes.c.expires_at).where(*_THIS)
USE = delete(codes).where(*_THIS)
MISS = update(codes).where(*_THIS).values(wrong=codes.c.wrong + 1)
PURGE = (
    delete(codes).where(codes.c.expires_at < bindparam("before")),
    delete(code_tries).where(code_tries.c.since < bindparam("before")),
    delete(code_sends).where(code_sends.c.since < bindparam("before")),
)


def refusal(times: list[datetime], now: datetime) -> Literal["", "soon", "many"]:
    """Return why the next send is refused, given the times of those before, newest first; empty if allowed."""
    for count, within, outcome in LIMITS:
        if len(times) >= count and now - times[count - 1] < within:
            return outcome
    return ""


def sends(stored: str, now: datetime) -> list[datetime]:
    """Parse the stored send times, newest first.

    An unreadable value counts as the maximum of sends just now (fail closed): no code is sent until the
    row is purged, a day after its last send.
    """
    try:
        return [datetime.fromisoformat(time).astimezone(UTC) for time in json.loads(stored)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return [now] * MOST_SENDS


class SqlCodes:
    """Implements the `OneTimeCodes` port.

    The hashes are keyed by `secret`: without it six digits cannot be brute-forced offline.
    """

    def __init__(
        self, database: Database, secret: Secret, source: Budget = SOURCE, operator: Budget = OPERATOR
    ) -> None:
        self._database = database
        self._key = derived(secret, "codes")
        self._budgets = Budgets(self._key, source, operator)
        self._seal = Seal(secret, PURPOSE)

    async def issue(self, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Store a code and enqueue its message; sends are counted per number over all purposes."""
        outcome = await self._database.write(lambda connection: self._issue(connection, request))
        if outcome == "ok" and request.notice is not None:
            self._database.bell.ring()
        return outcome

    async def redeem(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Use a code once, before (not at) `expires_at`.

        Wrong attempts are counted per number and purpose, whether a code exists or not: a stranger who
        exhausts the attempts on the web page does not affect those on the subscriber's own handset.
        With a source, the budgets of that source and of the whole operator apply too.
        """
        subject_key = subject(self._key, operator, number)
        code_hash = mark(self._key, "code", operator, number, purpose, code.value)
        key = {"subject": subject_key, "purpose": purpose}

        def job(connection: Connection) -> Literal["ok", "wrong", "locked"]:
            if source and not self._budgets.open(connection, operator, source, now):
                return "locked"
            outcome = _redeem(connection, key, code_hash, now)
            if source and outcome != "ok":
                self._budgets.count(connection, operator, source, now)
            return outcome

        return await self._database.write(job)

    async def purge(self, before: datetime) -> None:
        """Delete codes that expired and counters that began before this instant (24 hours ago or earlier)."""

        def job(connection: Connection) -> None:
            for statement in PURGE:
                connection.execute(statement, {"before": before})

        await self._database.write(job)

    def _issue(self, connection: Connection, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Check the send limits, reserve the key, store the code.

        The number's row is locked first, so that concurrent requests with one key wait for each other.
        """
        subject_key = subject(self._key, request.operator, request.number)
        row = {"subject": subject_key, "since": request.at, "times": "[]"}
        times = sends(connection.execute(LOCK_SENDS, row).scalar_one(), request.at)
        outcome = refusal(times, request.at) or "ok"
        first_outcome = idempotency.first_outcome(connection, request.key, outcome, None, request.at)
        if first_outcome is not None:
            return first_outcome  # type: ignore[return-value]
        if outcome == "ok":
            self._remember(connection, request, subject_key)
            _count(connection, subject_key, [request.at, *times])
        return outcome

    def _remember(self, connection: Connection, request: CodeRequest, who: bytes) -> None:
        code_hash = mark(
            self._key, "code", request.operator, request.number, request.purpose, request.code.value
        )
        row = {"subject": who, "purpose": request.purpose, "hash": code_hash, "wrong": 0}
        connection.execute(ISSUE, {**row, "expires_at": request.expires_at})
        if request.notice is not None:
            enqueue(connection, self._seal, (request.notice,), request.at)


def _count(connection: Connection, who: bytes, times: list[datetime]) -> None:
    stored = json.dumps([time.isoformat() for time in times[:MOST_SENDS]])
    connection.execute(SENT, {"who": who, "times": stored, "since": times[0]})


def _redeem(
    connection: Connection, key: dict[str, Any], given: bytes, now: datetime
) -> Literal["ok", "wrong", "locked"]:
    """Check a code under the lock of the number's counter: parallel attempts run one after another."""
    if TRIES.lock(connection, key, now) >= WRONG_A_DAY:
        return "locked"
    code_key = {"who": key["subject"], "what": key["purpose"]}
    row = connection.execute(LOOK, code_key).first()
    usable = row is not None and row.wrong < WRONG_A_CODE and now < row.expires_at
    matches = compare_digest(row.hash if row is not None else NOBODYS_HASH, given)
    if usable and matches:
        connection.execute(USE, code_key)
        return "ok"
    connection.execute(MISS, code_key)
    TRIES.add(connection, key, 1)
    return "wrong"
