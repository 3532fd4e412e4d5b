"""One-time codes on SQL: keyed hashes, and counts that no number of parallel guesses gets past."""

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
"""No more than so many sends within so long, and what the next is told."""

MOST_SENDS = max(count for count, _within, _told in LIMITS)
NOBODYS_HASH = bytes(32)
"""Compared with when there is no code, so that both ways do the same work."""

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
    """What the next send is told, given those before it, newest first; empty when it may go."""
    for count, within, told in LIMITS:
        if len(times) >= count and now - times[count - 1] < within:
            return told
    return ""


def sends(stored: str, now: datetime) -> list[datetime]:
    """When codes were sent, newest first. What cannot be read counts as many, just now: none is sent until
    the row goes, a day after its last send.
    """
    try:
        return [datetime.fromisoformat(time).astimezone(UTC) for time in json.loads(stored)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return [now] * MOST_SENDS


class SqlCodes:
    """The `Codes` port. `secret` keys every hash: without it six digits cannot be tried offline."""

    def __init__(
        self, database: Database, secret: Secret, source: Budget = SOURCE, operator: Budget = OPERATOR
    ) -> None:
        self._database = database
        self._key = derived(secret, "codes")
        self._budgets = Budgets(self._key, source, operator)
        self._seal = Seal(secret, PURPOSE)

    async def issue(self, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Remember a code and enqueue its notice; sends are counted per number, all purposes together."""
        outcome = await self._database.write(lambda connection: self._issue(connection, request))
        if outcome == "ok" and request.notice is not None:
            self._database.bell.ring()
        return outcome

    async def redeem(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Use a code once, before (not at) `expires_at`.

        Wrong tries are counted per number and purpose, code or no code: a stranger who exhausts the
        web page's tries leaves those on the subscriber's own handset. With a source, the budgets of
        that source and of the whole operator bind too.
        """
        who = subject(self._key, operator, number)
        given = mark(self._key, "code", operator, number, purpose, code.value)
        key = {"subject": who, "purpose": purpose}

        def job(connection: Connection) -> Literal["ok", "wrong", "locked"]:
            if source and not self._budgets.open(connection, operator, source, now):
                return "locked"
            told = _redeem(connection, key, given, now)
            if source and told != "ok":
                self._budgets.count(connection, operator, source, now)
            return told

        return await self._database.write(job)

    async def purge(self, before: datetime) -> None:
        """Forget codes expired and counters begun before this instant: 24 hours ago or earlier."""

        def job(connection: Connection) -> None:
            for statement in PURGE:
                connection.execute(statement, {"before": before})

        await self._database.write(job)

    def _issue(self, connection: Connection, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """The key is taken last: two twins wait for each other at the number's own row."""
        who = subject(self._key, request.operator, request.number)
        row = {"subject": who, "since": request.at, "times": "[]"}
        times = sends(connection.execute(LOCK_SENDS, row).scalar_one(), request.at)
        outcome = refusal(times, request.at) or "ok"
        first = idempotency.first_outcome(connection, request.key, outcome, None, request.at)
        if first is not None:
            return first  # type: ignore[return-value]
        if outcome == "ok":
            self._remember(connection, request, who)
            _count(connection, who, [request.at, *times])
        return outcome

    def _remember(self, connection: Connection, request: CodeRequest, who: bytes) -> None:
        given = mark(self._key, "code", request.operator, request.number, request.purpose, request.code.value)
        row = {"subject": who, "purpose": request.purpose, "hash": given, "wrong": 0}
        connection.execute(ISSUE, {**row, "expires_at": request.expires_at})
        if request.notice is not None:
            enqueue(connection, self._seal, (request.notice,), request.at)


def _count(connection: Connection, who: bytes, times: list[datetime]) -> None:
    kept = json.dumps([time.isoformat() for time in times[:MOST_SENDS]])
    connection.execute(SENT, {"who": who, "times": kept, "since": times[0]})


def _redeem(
    connection: Connection, key: dict[str, Any], given: bytes, now: datetime
) -> Literal["ok", "wrong", "locked"]:
    """Locks the number's counter first: from there on, parallel tries stand in line."""
    if TRIES.lock(connection, key, now) >= WRONG_A_DAY:
        return "locked"
    this = {"who": key["subject"], "what": key["purpose"]}
    row = connection.execute(LOOK, this).first()
    live = row is not None and row.wrong < WRONG_A_CODE and now < row.expires_at
    same = compare_digest(row.hash if row is not None else NOBODYS_HASH, given)
    if live and same:
        connection.execute(USE, this)
        return "ok"
    connection.execute(MISS, this)
    TRIES.add(connection, key, 1)
    return "wrong"
