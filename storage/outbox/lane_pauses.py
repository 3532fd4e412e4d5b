"""Lane pauses: notices and campaigns of an operator, held back or closed unsent by a command.

Codes and replies cannot be paused: a subscriber waits for them. Every claim reads the pauses in its own
transaction, so no worker claims a row of a paused lane after the pause was committed; what was claimed before
and not yet handed over is taken out of its lease.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, and_, bindparam, delete, not_, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.outbox.enqueue import PRIORITY
from storage.outbox.leases import lock_leases, save_lease
from storage.outbox.waiting import CAN_BE_SENT, DELETE_ENTRIES, HANDED_OVER, queue_rows
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.pause_schema import outbox_pauses
from storage.sql.tables import outbox, outbox_due

PausableKind = Literal["notice", "campaign"]
PAUSABLE_KINDS: tuple[PausableKind, ...] = get_args(PausableKind)
BATCH_ROWS = 5_000
"""Rows closed or taken back in one transaction."""
CLAIM_SECONDS = 1.0
"""A claim that began before the pause has ended by then; what it took is taken back, too."""
COMMAND_LINE = "command line"
"""Actor of the audit entries of who runs a command."""
CANCELLED = "cancelled by a command before it was sent"
"""Reason of a row closed by `cancel`; its text is gone, so that it cannot be replayed."""


class PausableLane(NamedTuple):
    """What is paused, resumed or cancelled together."""

    operator: str
    kind: PausableKind
    route: str
    """`sms` or `email`."""


class PausedLane(NamedTuple):
    """A lane and since when it is paused."""

    lane: PausableLane
    since: datetime


_ROW, _PAUSE, _DUE = outbox.c, outbox_pauses.c, outbox_due.c
_NOW = bindparam("now", type_=_ROW.changed_at.type)
_IDS = in_array(_ROW.id, "ids")
_OF_LANE = (
    _ROW.operator == bindparam("of"),
    _ROW.route == bindparam("by"),
    _ROW.kind == bindparam("what"),
    CAN_BE_SENT,
    not_(and_(_ROW.state == "claimed", _ROW.reason == HANDED_OVER)),
)
"""Rows of a lane that were not sent; one whose worker died while sending it is left to the next worker."""
SELECT_WAITING = (
    select(_DUE.row)
    .join(outbox, _ROW.id == _DUE.row)
    .where(
        _DUE.priority == bindparam("priority"), _DUE.operator == bindparam("of"), _DUE.route == bindparam("by")
    )
    .where(*_OF_LANE)
    .order_by(_DUE.due_at, _DUE.row)
    .limit(bindparam("most", type_=_ROW.attempt.type))
    .with_for_update(of=outbox_due)
)
SELECT_OF_LANE = select(_ROW.id).where(_IDS, *_OF_LANE)
TAKE_BACK = update(outbox).where(_IDS, CAN_BE_SENT).values(state="again", failed_state=None, changed_at=_NOW)
CLOSE_CANCELLED = (
    update(outbox)
    .where(_IDS, CAN_BE_SENT, _ROW.state != "unknown")
    .values(state="expired", reason=CANCELLED, payload=None, changed_at=_NOW)
)
"""Of what was perhaps sent the outcome stays unknown; it is not tried again, as its entry is deleted."""
INSERT_PAUSE = insert(outbox_pauses).on_conflict_do_nothing(index_elements=list(outbox_pauses.primary_key))
DELETE_PAUSE = delete(outbox_pauses).where(
    _PAUSE.operator == bindparam("of"), _PAUSE.kind == bindparam("what"), _PAUSE.route == bindparam("by")
)
SELECT_PAUSES = select(_PAUSE.operator, _PAUSE.kind, _PAUSE.route, _PAUSE.since).order_by(
    *outbox_pauses.primary_key
)


def read_paused_partitions(connection: Connection) -> set[tuple[int, str, str]]:
    """Return the priority, operator and route of every paused lane."""
    rows = connection.execute(SELECT_PAUSES)
    return {(PRIORITY[row.kind], row.operator, row.route) for row in rows}


class SqlLanePauses:
    """Pauses, resumes and cancels lanes; every command leaves an entry in the audit log."""

    def __init__(self, database: Database, secret: Secret, actor: str = COMMAND_LINE) -> None:
        self._database = database
        self._secret = secret
        self._audit_writer = AuditWriter(secret)
        self._actor = actor

    def acting_as(self, actor: str) -> "SqlLanePauses":
        """Return the same for a member of staff: the audit log says who it was."""
        return SqlLanePauses(self._database, self._secret, actor)

    async def pause(self, lane: PausableLane, now: datetime) -> None:
        """Let no worker claim rows of the lane; pausing twice changes nothing."""

        def write(connection: Connection) -> None:
            connection.execute(INSERT_PAUSE, {**lane._asdict(), "since": now})
            self._audit(connection, lane, "pause", now)

        await self._database.write(write)

    async def hold_back(
        self, lane: PausableLane, clock: Callable[[], datetime], sleep: Callable[[float], Awaitable[None]]
    ) -> int:
        """Pause the lane and take back what workers hold of it; return how many rows that were.

        Takes `CLAIM_SECONDS`, which `sleep` waits.
        """
        await self.pause(lane, clock())
        taken_back = await self.take_back(lane, clock())
        await sleep(CLAIM_SECONDS)
        return taken_back + await self.take_back(lane, clock())

    async def take_back(self, lane: PausableLane, now: datetime) -> int:
        """Take claimed rows of the lane from their workers, unless they are being sent; return how many."""

        def write(connection: Connection) -> int:
            ids = _take_from_workers(connection, lane)
            if ids:
                connection.execute(TAKE_BACK, {"ids": ids, "now": now})
                queue_rows(connection, [(row_id, now) for row_id in ids])
            return len(ids)

        return await self._database.write(write)

    async def resume(self, lane: PausableLane, now: datetime) -> bool:
        """Let the lane be claimed again; False when it was not paused."""

        def write(connection: Connection) -> bool:
            was_paused = connection.execute(DELETE_PAUSE, _lane_parameters(lane)).rowcount > 0
            self._audit(connection, lane, "resume", now)
            return was_paused

        return await self._database.write(write)

    async def cancel(self, lane: PausableLane, now: datetime) -> int:
        """Close every row of the lane that was not sent, for good; return how many.

        What a worker is sending at this moment is sent. New rows of the lane are not concerned.
        """
        await self._database.write(lambda connection: self._audit(connection, lane, "cancel", now))
        count = await self._database.write(lambda connection: _cancel_held(connection, lane, now))
        is_last = False
        while not is_last:
            closed, is_last = await self._database.write(
                lambda connection: _cancel_waiting(connection, lane, now)
            )
            count += closed
        return count

    async def list_pauses(self) -> Sequence[PausedLane]:
        """Return what is paused."""
        rows = await self._database.read(lambda connection: connection.execute(SELECT_PAUSES).all())
        return [PausedLane(PausableLane(*row[:3]), row.since) for row in rows]

    def _audit(self, connection: Connection, lane: PausableLane, verb: str, now: datetime) -> None:
        what = f"{lane.kind} {lane.route}"
        entry = AuditEntry(lane.operator, self._actor, f"outbox.{verb}", now, object=what)
        self._audit_writer.append_entries(connection, (entry,))


def _lane_parameters(lane: PausableLane) -> dict[str, object]:
    return {"of": lane.operator, "what": lane.kind, "by": lane.route}


def _cancel_waiting(connection: Connection, lane: PausableLane, now: datetime) -> tuple[int, bool]:
    """Close up to `BATCH_ROWS` waiting rows; return how many were not sent, and whether none is left."""
    parameters = {**_lane_parameters(lane), "priority": PRIORITY[lane.kind], "most": BATCH_ROWS}
    ids = list(connection.execute(SELECT_WAITING, parameters).scalars())
    if not ids:
        return 0, True
    connection.execute(DELETE_ENTRIES, {"ids": ids})
    return connection.execute(CLOSE_CANCELLED, {"ids": ids, "now": now}).rowcount, False


def _cancel_held(connection: Connection, lane: PausableLane, now: datetime) -> int:
    """Close the rows that workers hold and have not begun to send; return how many."""
    ids = _take_from_workers(connection, lane)
    return connection.execute(CLOSE_CANCELLED, {"ids": ids, "now": now}).rowcount if ids else 0


def _take_from_workers(connection: Connection, lane: PausableLane) -> list[int]:
    """Take the lane's rows that were not handed over out of every lease; return their ids."""
    leases = lock_leases(connection)
    unsent = sorted(row_id for lease in leases for row_id in lease.unsent)
    parameters = {**_lane_parameters(lane), "ids": unsent}
    ids = list(connection.execute(SELECT_OF_LANE, parameters).scalars()) if unsent else []
    for lease in leases:
        if lease.drop_rows(ids):
            save_lease(connection, lease)
    return ids
