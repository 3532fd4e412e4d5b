"""Lane pauses: notices and campaigns of an operator, held back or closed unsent by a command.

Codes and replies cannot be paused: a subscriber waits for them. Every claim reads the pauses in its own
transaction, so no worker claims a row of a paused lane after the pause was committed; what was claimed before
and not yet handed over is taken back by a higher fencing token.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, Select, Update, and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.outbox.enqueue import PRIORITY
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.outbox_schema import IS_CLAIMED, ROW_STATE, outbox
from storage.sql.pause_schema import outbox_pauses

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


_ROW, _PAUSE = outbox.c, outbox_pauses.c
_NOW = bindparam("now", type_=_ROW.due_at.type)
_IN_LANE = and_(
    _ROW.due_at.is_not(None),
    _ROW.priority == bindparam("priority"),
    _ROW.operator == bindparam("of"),
    _ROW.route == bindparam("by"),
    _ROW.kind == bindparam("what"),
)
_CLAIMED_NOT_SENT = and_(IS_CLAIMED, _ROW.reason == "")
"""Claimed, and its worker has not begun to send it."""
_NOT_SENT = or_(ROW_STATE.in_(("pending", "again")), _CLAIMED_NOT_SENT)
_IS_UNKNOWN = ROW_STATE == "unknown"
_IDS = in_array(_ROW.id, "ids")
_IN_LANE_BY_ID = select(_ROW.id).where(_IN_LANE).order_by(_ROW.id).limit(BATCH_ROWS).with_for_update(of=outbox)
SELECT_CLAIMED = _IN_LANE_BY_ID.where(_CLAIMED_NOT_SENT)
SELECT_NOT_SENT = _IN_LANE_BY_ID.where(_NOT_SENT)
SELECT_UNKNOWN = _IN_LANE_BY_ID.where(_IS_UNKNOWN)
TAKE_BACK = (
    update(outbox)
    .where(_IDS, _CLAIMED_NOT_SENT)
    .values(
        state="again",
        fence=_ROW.fence + 1,
        attempt=_ROW.attempt - 1,
        due_at=_NOW,
        leased_until=None,
        changed_at=_NOW,
    )
)
CLOSE_CANCELLED = (
    update(outbox)
    .where(_IDS, _NOT_SENT)
    .values(
        state="expired",
        reason=CANCELLED,
        fence=_ROW.fence + 1,
        due_at=None,
        leased_until=None,
        payload=None,
        changed_at=_NOW,
    )
)
CLOSE_UNKNOWN = update(outbox).where(_IDS, _IS_UNKNOWN).values(due_at=None, changed_at=_NOW)
"""Of what was perhaps sent the outcome stays unknown; it is not tried again."""
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
        return await self._change_all(SELECT_CLAIMED, TAKE_BACK, lane, now)

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
        await self._change_all(SELECT_UNKNOWN, CLOSE_UNKNOWN, lane, now)
        return await self._change_all(SELECT_NOT_SENT, CLOSE_CANCELLED, lane, now)

    async def list_pauses(self) -> Sequence[PausedLane]:
        """Return what is paused."""
        rows = await self._database.read(lambda connection: connection.execute(SELECT_PAUSES).all())
        return [PausedLane(PausableLane(*row[:3]), row.since) for row in rows]

    async def _change_all(
        self, choosing: Select[int], changing: Update, lane: PausableLane, now: datetime
    ) -> int:
        """Change the chosen rows in transactions of `BATCH_ROWS`; return how many there were."""
        count = 0
        while changed := await self._database.write(_batch_change(choosing, changing, lane, now)):
            count += changed
        return count

    def _audit(self, connection: Connection, lane: PausableLane, verb: str, now: datetime) -> None:
        what = f"{lane.kind} {lane.route}"
        entry = AuditEntry(lane.operator, self._actor, f"outbox.{verb}", now, object=what)
        self._audit_writer.append_entries(connection, (entry,))


def _lane_parameters(lane: PausableLane) -> dict[str, object]:
    return {"of": lane.operator, "what": lane.kind, "by": lane.route}


def _batch_change(
    choosing: Select[int], changing: Update, lane: PausableLane, now: datetime
) -> Callable[[Connection], int]:
    """Return a transaction that changes up to `BATCH_ROWS` rows and returns how many."""

    def write(connection: Connection) -> int:
        parameters = {**_lane_parameters(lane), "priority": PRIORITY[lane.kind]}
        ids = list(connection.execute(choosing, parameters).scalars())
        if ids:
            connection.execute(changing, {"ids": ids, "now": now})
        return len(ids)

    return write
