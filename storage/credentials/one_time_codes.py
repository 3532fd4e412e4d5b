"""One-time codes (OTP) in SQL: stored as keyed hashes, with limits that hold for parallel attempts."""

import json
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import CodeRequest, Secret
from storage import idempotency
from storage.credentials.attempt_budgets import OPERATOR_LIMIT, SOURCE_LIMIT, AttemptBudgets, AttemptLimit
from storage.credentials.attempt_counter import MAX_WRONG_PER_DAY, AttemptCounter
from storage.crypto import AeadCipher, derive_key, keyed_hash, subject_hash
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.sql.engine import Database
from storage.sql.tables import code_sends, code_tries, codes

MAX_WRONG_PER_CODE = 5

SEND_LIMITS: tuple[tuple[int, timedelta, Literal["soon", "many"]], ...] = (
    (1, timedelta(seconds=30), "soon"),
    (3, timedelta(hours=1), "many"),
    (6, timedelta(days=1), "many"),
)
"""Rate limit of sends: (most sends, within this time, outcome of the next send)."""

MAX_SENDS = max(count for count, _within, _outcome in SEND_LIMITS)
DUMMY_HASH = bytes(32)
"""Compared with when there is no code, so that both cases take the same time."""

WRONG_CODE_COUNTER = AttemptCounter(code_tries)
_INSERT_SENDS = insert(code_sends)
LOCK_SENDS = _INSERT_SENDS.on_conflict_do_update(
    index_elements=[code_sends.c.subject], set_={"subject": _INSERT_SENDS.excluded.subject}
).returning(code_sends.c.times)
UPDATE_SENDS = (
    update(code_sends)
    .where(code_sends.c.subject == bindparam("who"))
    .values(times=bindparam("times"), since=bindparam("since"))
)
_INSERT_CODE = insert(codes)
UPSERT_CODE = _INSERT_CODE.on_conflict_do_update(
    index_elements=[codes.c.subject, codes.c.purpose],
    set_={name: _INSERT_CODE.excluded[name] for name in ("hash", "wrong", "expires_at")},
)
_CODE_KEY = (codes.c.subject == bindparam("who"), codes.c.purpose == bindparam("what"))
SELECT_CODE = select(codes.c.hash, codes.c.wrong, codes.c.expires_at).where(*_CODE_KEY)
DELETE_CODE = delete(codes).where(*_CODE_KEY)
COUNT_WRONG = update(codes).where(*_CODE_KEY).values(wrong=codes.c.wrong + 1)
PURGE_STATEMENTS = (
    delete(codes).where(codes.c.expires_at < bindparam("before")),
    delete(code_tries).where(code_tries.c.since < bindparam("before")),
    delete(code_sends).where(code_sends.c.since < bindparam("before")),
)


def refusal_reason(times: list[datetime], now: datetime) -> Literal["", "soon", "many"]:
    """Return why the next send is refused, given the times of those before, newest first; empty if allowed."""
    for count, within, outcome in SEND_LIMITS:
        if len(times) >= count and now - times[count - 1] < within:
            return outcome
    return ""


def parse_send_times(stored: str, now: datetime) -> list[datetime]:
    """Parse the stored send times, newest first.

    An unreadable value counts as the maximum of sends just now (fail closed): no code is sent until the
    row is purged, a day after its last send.
    """
    try:
        return [datetime.fromisoformat(time).astimezone(UTC) for time in json.loads(stored)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return [now] * MAX_SENDS


class SqlOneTimeCodes:
    """Implements the `OneTimeCodes` port.

    The hashes are keyed by `secret`: without it six digits cannot be brute-forced offline.
    """

    def __init__(
        self,
        database: Database,
        secret: Secret,
        source_limit: AttemptLimit = SOURCE_LIMIT,
        operator_limit: AttemptLimit = OPERATOR_LIMIT,
    ) -> None:
        self._database = database
        self._key = derive_key(secret, "codes")
        self._budgets = AttemptBudgets(self._key, source_limit, operator_limit)
        self._cipher = AeadCipher(secret, KEY_PURPOSE)

    async def issue_code(self, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Store a code and enqueue its message; sends are counted per number over all purposes."""
        outcome = await self._database.write(lambda connection: self._issue_code(connection, request))
        if outcome == "ok" and request.message is not None:
            self._database.wakeup.wake_waiters()
        return outcome

    async def redeem_code(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Use a code once, before (not at) `expires_at`.

        Wrong attempts are counted per number and purpose, whether a code exists or not: a stranger who
        exhausts the attempts on the web page does not affect those on the subscriber's own handset.
        With a source, the budgets of that source and of the whole operator apply too.
        """
        subject_key = subject_hash(self._key, operator, number)
        code_hash = keyed_hash(self._key, "code", operator, number, purpose, code.value)
        key = {"subject": subject_key, "purpose": purpose}

        def job(connection: Connection) -> Literal["ok", "wrong", "locked"]:
            if source and not self._budgets.allows_attempt(connection, operator, source, now):
                return "locked"
            outcome = _redeem_code(connection, key, code_hash, now)
            if source and outcome != "ok":
                self._budgets.count_wrong_code(connection, operator, source, now)
            return outcome

        return await self._database.write(job)

    async def purge_expired(self, before: datetime) -> None:
        """Delete codes that expired and counters that began before this instant (24 hours ago or earlier)."""

        def job(connection: Connection) -> None:
            for statement in PURGE_STATEMENTS:
                connection.execute(statement, {"before": before})

        await self._database.write(job)

    def _issue_code(self, connection: Connection, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Check the send limits, reserve the key, store the code.

        The number's row is locked first, so that concurrent requests with one key wait for each other.
        """
        subject_key = subject_hash(self._key, request.operator, request.number)
        row = {"subject": subject_key, "since": request.requested_at, "times": "[]"}
        times = parse_send_times(connection.execute(LOCK_SENDS, row).scalar_one(), request.requested_at)
        outcome = refusal_reason(times, request.requested_at) or "ok"
        first_outcome = idempotency.reserve_key(connection, request.key, outcome, None, request.requested_at)
        if first_outcome is not None:
            return first_outcome  # type: ignore[return-value]
        if outcome == "ok":
            self._store_code(connection, request, subject_key)
            _record_send(connection, subject_key, [request.requested_at, *times])
        return outcome

    def _store_code(self, connection: Connection, request: CodeRequest, subject_key: bytes) -> None:
        code_hash = keyed_hash(
            self._key, "code", request.operator, request.number, request.purpose, request.code.value
        )
        row = {"subject": subject_key, "purpose": request.purpose, "hash": code_hash, "wrong": 0}
        connection.execute(UPSERT_CODE, {**row, "expires_at": request.expires_at})
        if request.message is not None:
            enqueue_items(connection, self._cipher, (request.message,), request.requested_at)


def _record_send(connection: Connection, subject_key: bytes, times: list[datetime]) -> None:
    stored = json.dumps([time.isoformat() for time in times[:MAX_SENDS]])
    connection.execute(UPDATE_SENDS, {"who": subject_key, "times": stored, "since": times[0]})


def _redeem_code(
    connection: Connection, key: dict[str, Any], code_hash: bytes, now: datetime
) -> Literal["ok", "wrong", "locked"]:
    """Check a code under the lock of the number's counter: parallel attempts run one after another."""
    if WRONG_CODE_COUNTER.lock_and_count(connection, key, now) >= MAX_WRONG_PER_DAY:
        return "locked"
    code_key = {"who": key["subject"], "what": key["purpose"]}
    row = connection.execute(SELECT_CODE, code_key).first()
    usable = row is not None and row.wrong < MAX_WRONG_PER_CODE and now < row.expires_at
    matches = compare_digest(row.hash if row is not None else DUMMY_HASH, code_hash)
    if usable and matches:
        connection.execute(DELETE_CODE, code_key)
        return "ok"
    connection.execute(COUNT_WRONG, code_key)
    WRONG_CODE_COUNTER.add_wrong(connection, key, 1)
    return "wrong"
