"""Outbox leases: rows a worker claimed together, until when they are its own, under one fencing token.

A row is held while it stands in a lease. Whoever changes what is held locks the lease first: a settlement, a
renewal, a release and a command that takes rows back therefore follow each other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from flows.domain.records import ClaimedMessage
from storage.sql.bulk import in_array
from storage.sql.tables import outbox_leases

LEASE = timedelta(seconds=4)
"""Lease of claimed rows, unless renewed; afterwards others may claim them and the old token is refused."""
MAX_EXPIRED = 20
"""Expired leases that one claim ends."""

_LEASE = outbox_leases.c
INSERT_LEASE = insert(outbox_leases).returning(_LEASE.id)
_SELECT_LEASES = select(_LEASE.id, _LEASE.until, _LEASE.unsent, _LEASE.sending)
SELECT_ALL = _SELECT_LEASES
LOCK_ALL = _SELECT_LEASES.order_by(_LEASE.id).with_for_update()
LOCK_BY_ID = _SELECT_LEASES.where(in_array(_LEASE.id, "tokens")).order_by(_LEASE.id).with_for_update()
LOCK_EXPIRED = (
    _SELECT_LEASES.where(_LEASE.until <= bindparam("now", type_=_LEASE.until.type))
    .order_by(_LEASE.until)
    .limit(MAX_EXPIRED)
    .with_for_update(skip_locked=True)
)
UPDATE_LEASE = (
    update(outbox_leases)
    .where(_LEASE.id == bindparam("token"))
    .values({name: bindparam(f"new_{name}") for name in ("until", "unsent", "sending")})
)
DELETE_LEASE = delete(outbox_leases).where(_LEASE.id == bindparam("token"))


@dataclass(slots=True)
class Lease:
    """The rows of one claim that are not settled yet."""

    token: int
    """The fencing token: an outcome recorded under another lease's is refused."""
    until: datetime
    unsent: set[int]
    """Rows that were not handed to a provider."""
    sending: set[int] = field(default_factory=set)
    """Rows that were, so that their outcome is unknown when this lease expires."""

    @property
    def row_ids(self) -> set[int]:
        """Ids of all rows held under this lease."""
        return self.unsent | self.sending

    def drop_rows(self, row_ids: Collection[int]) -> set[int]:
        """Remove rows; return those that were held."""
        held = self.row_ids.intersection(row_ids)
        self.unsent -= held
        self.sending -= held
        return held


def insert_lease(connection: Connection, row_ids: Iterable[int], until: datetime) -> int:
    """Write the lease of rows that were just claimed; return its token, higher than any before."""
    lease = Lease(0, until, set(row_ids))
    return int(connection.execute(INSERT_LEASE, _lease_columns(lease)).scalar_one())


def renew_leases(
    connection: Connection, messages: Collection[ClaimedMessage], now: datetime, *, sending: bool
) -> set[int]:
    """Renew the leases of these rows; return the ids of those that are still held.

    `sending` marks the rows as handed over and leaves a lease that is in its first half. Without it the rows
    that are not named are given up: they keep what is left of their lease.
    """
    still_held: set[int] = set()
    for lease, named in _lock_named(connection, messages):
        held = lease.row_ids & named
        still_held |= held
        if sending:
            lease.unsent -= held
            lease.sending |= held
        else:
            _split_lease(connection, lease, held)
        if held and (not sending or lease.until < now + LEASE / 2):
            lease.until = now + LEASE
        save_lease(connection, lease)
    return still_held


def end_leases(connection: Connection, messages: Collection[ClaimedMessage]) -> set[int]:
    """Take rows out of their leases, to settle or release them; return the ids of those still held."""
    ended: set[int] = set()
    for lease, named in _lock_named(connection, messages):
        ended |= lease.drop_rows(named)
        save_lease(connection, lease)
    return ended


def lock_leases(connection: Connection) -> list[Lease]:
    """Lock every lease and return them: for commands on whole lanes."""
    return [_read_lease(row) for row in connection.execute(LOCK_ALL)]


def lock_expired(connection: Connection, now: datetime) -> list[Lease]:
    """Lock up to `MAX_EXPIRED` leases that ran out, except those being changed at this moment."""
    return [_read_lease(row) for row in connection.execute(LOCK_EXPIRED, {"now": now})]


def save_lease(connection: Connection, lease: Lease) -> None:
    """Write a lease that was locked; delete it when it holds no row any more."""
    if not lease.row_ids:
        connection.execute(DELETE_LEASE, {"token": lease.token})
        return
    values = {f"new_{name}": value for name, value in _lease_columns(lease).items()}
    connection.execute(UPDATE_LEASE, {"token": lease.token, **values})


def drop_from_leases(connection: Connection, row_ids: Collection[int]) -> None:
    """Take erased rows out of every lease: SQLite may give their ids to new rows."""
    for lease in lock_leases(connection):
        if lease.drop_rows(row_ids):
            save_lease(connection, lease)


def read_held_rows(connection: Connection) -> Mapping[int, datetime]:
    """Return the rows that workers hold and when each lease ends."""
    leases = [_read_lease(row) for row in connection.execute(SELECT_ALL)]
    return {row_id: lease.until for lease in leases for row_id in lease.row_ids}


def _lock_named(
    connection: Connection, messages: Collection[ClaimedMessage]
) -> Iterator[tuple[Lease, set[int]]]:
    """Lock the leases of these messages, in the order of their tokens; yield each with the rows named of it."""
    named: dict[int, set[int]] = {}
    for message in messages:
        named.setdefault(message.fencing_token, set()).add(message.id)
    rows: Sequence[Any] = connection.execute(LOCK_BY_ID, {"tokens": sorted(named)}).all() if named else ()
    for row in rows:
        yield _read_lease(row), named[row.id]


def _split_lease(connection: Connection, lease: Lease, kept: set[int]) -> None:
    """Leave the rows that are not kept to a lease of their own, which nobody renews."""
    given_up = lease.row_ids - kept
    if given_up:
        rest = Lease(0, lease.until, lease.unsent & given_up, lease.sending & given_up)
        connection.execute(INSERT_LEASE, _lease_columns(rest))
        lease.drop_rows(given_up)


def _lease_columns(lease: Lease) -> dict[str, Any]:
    return {"until": lease.until, "unsent": _join_ids(lease.unsent), "sending": _join_ids(lease.sending)}


def _read_lease(row: Any) -> Lease:
    return Lease(row.id, row.until, _split_ids(row.unsent), _split_ids(row.sending))


def _join_ids(row_ids: Iterable[int]) -> str:
    return ",".join(map(str, sorted(row_ids)))


def _split_ids(stored: str) -> set[int]:
    return set(map(int, stored.split(","))) if stored else set()
