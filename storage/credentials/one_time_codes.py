"""One-time codes (OTP) in SQL: stored as keyed hashes, with limits that hold for parallel attempts."""

from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import CodeRequest, Secret
from storage import idempotency
from storage.credentials.attempt_budgets import OPERATOR_LIMIT, SOURCE_LIMIT, AttemptBudgets, AttemptLimit
from storage.credentials.attempt_counter import MAX_WRONG_PER_DAY, AttemptCounter
from storage.credentials.send_budgets import (
    CodeSend,
    encode_sends,
    next_send_at,
    parse_sends,
    refusal_reason,
)
from storage.crypto import AeadCipher, derive_key, keyed_hash, subject_hash
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.sql.engine import Database
from storage.sql.tables import code_sends, code_tries, codes

MAX_WRONG_PER_CODE = 5

DUMMY_HASH = bytes(32)
"""Compared with when there is no code, so that both cases take the same time."""

WRONG_CODE_COUNTER = AttemptCounter(code_tries)
_INSERT_SENDS = insert(code_sends)
LOCK_SENDS = _INSERT_SENDS.on_conflict_do_update(
    index_elements=[code_sends.c.subject], set_={"subject": _INSERT_SENDS.excluded.subject}
).returning(code_sends.c.times)
SELECT_SENDS = select(code_sends.c.times).where(code_sends.c.subject == bindparam("who"))
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


OTHERS_COPY = "/others"
"""Purpose suffix of the copy of a handset's own code that all others try: their wrong tries stay there."""
ASKED_BY_OTHERS = "/asked"
"""Purpose suffix of a code that somebody else asked for: it leaves the handset's own code valid."""
SINGLE_PURPOSES = frozenset({"reset"})
"""Purposes with one code at a time: asked for again on another channel, the live one stays."""
MIN_LIFE_LEFT = timedelta(minutes=2)
"""Life a code must have left to be the one that stays."""


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
        """Store a code and enqueue its message; sends are counted per number and purpose."""
        outcome = await self._database.write(lambda connection: self._issue_code(connection, request))
        if outcome == "ok" and request.message is not None:
            self._database.wakeup.wake_waiters()
        return outcome

    async def next_code_at(
        self, operator: str, number: str, purpose: str, requester: str, now: datetime
    ) -> datetime:
        """Return when this requester may be sent the next code for a purpose: `now` or later."""
        subject_key = subject_hash(self._key, operator, number)

        def job(connection: Connection) -> datetime:
            stored = connection.execute(SELECT_SENDS, {"who": subject_key}).scalar()
            sends = parse_sends(stored, now) if stored else []
            return next_send_at(sends, purpose, now, by_others=bool(requester))

        return await self._database.read(job)

    async def redeem_code(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Use a code once, before (not at) `expires_at`.

        Wrong attempts are counted per number and purpose, whether a code exists or not, and apart for the
        line's own handset (no source) and for everybody else: strangers never use up the owner's (T11).
        With a source, the budgets of that source and of the whole operator apply too; the operator's counts
        only attempts that could have succeeded.
        """
        subject_key = subject_hash(self._key, operator, number)
        code_hash = keyed_hash(self._key, "code", operator, number, purpose, code.value)
        key = {"subject": subject_key, "purpose": purpose + (OTHERS_COPY if source else "")}
        purposes = (purpose + (OTHERS_COPY if source else ""), purpose + ASKED_BY_OTHERS)

        def job(connection: Connection) -> Literal["ok", "wrong", "locked"]:
            if source and not self._budgets.allows_attempt(connection, operator, source, now):
                return "locked"
            outcome = _redeem_code(connection, key, purposes, code_hash, now)
            if source and outcome != "ok":
                has_code = _find_usable(connection, subject_key, purposes, now) != []
                self._budgets.count_wrong_code(connection, operator, source, now, could_succeed=has_code)
            return outcome

        return await self._database.write(job)

    def _issue_code(self, connection: Connection, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Check the send limits, reserve the key, store the code.

        The number's row is locked first, so that concurrent requests with one key wait for each other.
        """
        subject_key = subject_hash(self._key, request.operator, request.number)
        row = {"subject": subject_key, "since": request.requested_at, "times": "[]"}
        sends = parse_sends(connection.execute(LOCK_SENDS, row).scalar_one(), request.requested_at)
        outcome = self._send_outcome(connection, request, subject_key, sends)
        first_outcome = idempotency.reserve_key(connection, request.key, outcome, None, request.requested_at)
        if first_outcome is not None:
            return first_outcome  # type: ignore[return-value]
        if outcome == "ok":
            if request.message is not None or not request.by_email:
                self._store_code(connection, request, subject_key)
            sent = CodeSend(request.requested_at, bool(request.requester), request.purpose)
            _record_send(connection, subject_key, [sent, *sends])
        return outcome

    def _send_outcome(
        self, connection: Connection, request: CodeRequest, subject_key: bytes, sends: list[CodeSend]
    ) -> Literal["ok", "soon", "many"]:
        """Return whether the code may be sent; `soon` where a live code stays the only one."""
        now, by_others = request.requested_at, bool(request.requester)
        replaces_live = request.by_email and request.message is not None
        if request.purpose in SINGLE_PURPOSES and not by_others and not replaces_live:
            live = _find_usable(connection, subject_key, (request.purpose,), now + MIN_LIFE_LEFT)
            if live:
                return "soon"
        return refusal_reason(sends, request.purpose, now, by_others=by_others) or "ok"

    def _store_code(self, connection: Connection, request: CodeRequest, subject_key: bytes) -> None:
        code_hash = keyed_hash(
            self._key, "code", request.operator, request.number, request.purpose, request.code.value
        )
        row = {"subject": subject_key, "hash": code_hash, "wrong": 0, "expires_at": request.expires_at}
        for suffix in (ASKED_BY_OTHERS,) if request.requester else ("", OTHERS_COPY):
            connection.execute(UPSERT_CODE, {**row, "purpose": request.purpose + suffix})
        if request.message is not None:
            enqueue_items(connection, self._cipher, (request.message,), request.requested_at)


def _record_send(connection: Connection, subject_key: bytes, sends: list[CodeSend]) -> None:
    """Store the sends, newest first."""
    values = {"who": subject_key, "times": encode_sends(sends), "since": sends[0].at}
    connection.execute(UPDATE_SENDS, values)


def _redeem_code(
    connection: Connection, key: dict[str, Any], purposes: tuple[str, ...], code_hash: bytes, now: datetime
) -> Literal["ok", "wrong", "locked"]:
    """Check a code under the lock of the number's counter: parallel attempts run one after another."""
    if WRONG_CODE_COUNTER.lock_and_count(connection, key, now) >= MAX_WRONG_PER_DAY:
        return "locked"
    usable = _find_usable(connection, key["subject"], purposes, now)
    matches = [purpose for purpose, stored in usable if compare_digest(stored, code_hash)]
    compare_digest(DUMMY_HASH, code_hash)  # without a code the work is the same
    if matches:
        _delete_code(connection, key["subject"], matches[0])
        return "ok"
    for purpose in purposes:
        connection.execute(COUNT_WRONG, {"who": key["subject"], "what": purpose})
    WRONG_CODE_COUNTER.add_wrong(connection, key, 1)
    return "wrong"


def _find_usable(
    connection: Connection, subject_key: bytes, purposes: tuple[str, ...], now: datetime
) -> list[tuple[str, bytes]]:
    """Return purpose and hash of each live code: not expired, and fewer than five wrong attempts."""
    found = []
    for purpose in purposes:
        row = connection.execute(SELECT_CODE, {"who": subject_key, "what": purpose}).first()
        if row is not None and row.wrong < MAX_WRONG_PER_CODE and now < row.expires_at:
            found.append((purpose, row.hash))
    return found


def _delete_code(connection: Connection, subject_key: bytes, purpose: str) -> None:
    """Use a code up; the handset's own code and its copy are one."""
    plain = purpose.removesuffix(OTHERS_COPY)
    for each in (purpose,) if purpose.endswith(ASKED_BY_OTHERS) else (plain, plain + OTHERS_COPY):
        connection.execute(DELETE_CODE, {"who": subject_key, "what": each})
