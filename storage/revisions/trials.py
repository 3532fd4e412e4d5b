"""Trials of pack revisions in SQL: begun by one person, approved by another, and their counts."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.pack_revisions import PackEditor, PackPublication
from flows.domain.pack_trials import (
    MAX_SHARE_PERCENT,
    MIN_SHARE_PERCENT,
    NO_PUBLICATION,
    OwnTrialError,
    PackTrial,
    TrialCounts,
    TrialSide,
    TrialStateError,
)
from flows.domain.records import Secret
from storage.audit.trail import AuditWriter
from storage.revisions.publications import read_publication_id
from storage.revisions.studio_audit import approve_recorded, studio_entry
from storage.sql.engine import Database
from storage.sql.revision_schema import pack_trial_counts, pack_trials

BEGUN = ""
"""Stands for an outcome where the conversations begun are counted."""
CountKey = tuple[int, TrialSide, str]
"""Trial, side, and the final screen or `BEGUN`."""

_ROW, _COUNT = pack_trials.c, pack_trial_counts.c
_OF, _IS_OPEN = _ROW.operator == bindparam("of"), _ROW.ended_at.is_(None)
INSERT_TRIAL = upsert(pack_trials).on_conflict_do_nothing().returning(_ROW.id)
SELECT_NEWEST = select(pack_trials).where(_OF).order_by(_ROW.id.desc()).limit(1)
SELECT_TRIAL = select(pack_trials).where(_OF, _ROW.id == bindparam("this"))
SELECT_APPROVED = select(pack_trials).where(
    _ROW.operator.in_(bindparam("of", expanding=True)), _ROW.approved_at.is_not(None), _IS_OPEN
)
APPROVE_TRIAL = (
    update(pack_trials)
    .where(_OF, _ROW.id == bindparam("this"), _ROW.approved_at.is_(None), _IS_OPEN)
    .values(approver=bindparam("who"), approved_at=bindparam("now"))
)
END_TRIAL = (
    update(pack_trials)
    .where(_OF, _ROW.id == bindparam("this"), _IS_OPEN)
    .values(ended_by=bindparam("who"), ended_at=bindparam("now"))
)
END_OUTDATED = (
    update(pack_trials)
    .where(_OF, _IS_OPEN, _ROW.publication_id != bindparam("served"))
    .values(ended_at=bindparam("now"))
)
"""Closes a trial that ended by a publication, so that another may be begun."""
SELECT_COUNTS = select(_COUNT.side, _COUNT.outcome, _COUNT.conversations).where(
    _COUNT.trial_id == bindparam("this")
)
_INSERT_COUNT = upsert(pack_trial_counts)
ADD_COUNT = _INSERT_COUNT.on_conflict_do_update(
    index_elements=[_COUNT.trial_id, _COUNT.side, _COUNT.outcome],
    set_={"conversations": _COUNT.conversations + _INSERT_COUNT.excluded.conversations},
)


class SqlPackTrials:
    """Stores the trials of every operator's revisions."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._audit_writer = database, AuditWriter(secret)

    async def begin(
        self, operator: str, number: int, share_percent: int, beginner: PackEditor, now: datetime
    ) -> PackTrial:
        """Begin a trial against what is served now; it waits for a second person.

        The caller has made sure that the revision is approved. TrialStateError for a share that is not 1 to
        50 %, and while the operator has another trial.
        """
        if not MIN_SHARE_PERCENT <= share_percent <= MAX_SHARE_PERCENT:
            raise TrialStateError(f"the share is {MIN_SHARE_PERCENT} to {MAX_SHARE_PERCENT} percent")

        def job(connection: Connection) -> PackTrial:
            served = read_publication_id(connection, operator, now)
            connection.execute(END_OUTDATED, {"of": operator, "served": served, "now": now})
            trial = PackTrial(0, operator, number, share_percent, beginner.name, served, now)
            row_id = connection.execute(INSERT_TRIAL, _row_of(trial)).scalar()
            if row_id is None:
                raise TrialStateError(f"{operator} has a trial already")
            self._append(connection, trial, beginner, "trial_begun", now)
            return replace(trial, id=row_id)

        return await self._database.write(job)

    async def approve(self, operator: str, trial_id: int, approver: PackEditor, now: datetime) -> None:
        """Let a trial run; TrialStateError for one that waits no more.

        Raises OwnTrialError for who began it; the attempt is in the audit log then.
        """

        def job(connection: Connection) -> None:
            trial = _read_trial(connection, operator, trial_id)
            if trial.beginner in approver.identities:
                raise OwnTrialError
            if trial.publication_id != read_publication_id(connection, operator, now):
                raise TrialStateError(f"{operator}: what is published has changed; begin the trial again")
            self._change(connection, APPROVE_TRIAL, trial, approver, "trial_approved", now)

        refusal = studio_entry(operator, approver, "trial_approved", "own trial", now, "refused")
        await approve_recorded(self._database, job, self._audit_writer, refusal)

    async def end(self, operator: str, trial_id: int, editor: PackEditor, now: datetime) -> None:
        """End a trial, whether or not it was approved; TrialStateError for one that has ended."""

        def job(connection: Connection) -> None:
            trial = _read_trial(connection, operator, trial_id)
            self._change(connection, END_TRIAL, trial, editor, "trial_ended", now)

        await self._database.write(job)

    async def read_newest(self, operator: str) -> PackTrial | None:
        """Return the operator's newest trial, in whatever state; None when there was none."""
        values = {"of": operator}
        row = await self._database.read(lambda connection: connection.execute(SELECT_NEWEST, values).first())
        return _build_trial(row) if row else None

    async def running_trials(
        self, operators: Collection[str], served: Mapping[str, PackPublication]
    ) -> Mapping[str, PackTrial]:
        """Return the trials that run, by operator; `served` are the publications that hold now."""
        values = {"of": sorted(operators)}
        rows = await self._database.read(lambda connection: connection.execute(SELECT_APPROVED, values).all())
        ids = {operator: each.id for operator, each in served.items()}
        trials = [_build_trial(row) for row in rows]
        return {
            each.operator: each
            for each in trials
            if each.state_beside(ids.get(each.operator, NO_PUBLICATION)) == "running"
        }

    async def read_counts(self, trial_id: int) -> Mapping[TrialSide, TrialCounts]:
        """Return what was counted of a trial so far, by side."""
        values = {"this": trial_id}
        rows = await self._database.read(lambda connection: connection.execute(SELECT_COUNTS, values).all())
        sides: tuple[TrialSide, TrialSide] = ("published", "trial")
        return {side: _build_counts(rows, side) for side in sides}

    def _change(
        self,
        connection: Connection,
        statement: Any,
        trial: PackTrial,
        editor: PackEditor,
        action: str,
        now: datetime,
    ) -> None:
        values = {"of": trial.operator, "this": trial.id, "who": editor.name, "now": now}
        if not connection.execute(statement, values).rowcount:
            raise TrialStateError(f"{trial.operator}: the trial was decided or ended already")
        self._append(connection, trial, editor, action, now)

    def _append(
        self, connection: Connection, trial: PackTrial, editor: PackEditor, action: str, now: datetime
    ) -> None:
        what = f"revision {trial.number}, {trial.share_percent} %"
        entry = studio_entry(trial.operator, editor, action, what, now)
        self._audit_writer.append_entries(connection, (entry,))


def add_counts(connection: Connection, counts: Mapping[CountKey, int]) -> None:
    """Add conversations to what was counted, within the caller's transaction; sorted against deadlocks."""
    for (trial_id, side, outcome), conversations in sorted(counts.items()):
        row = {"trial_id": trial_id, "side": side, "outcome": outcome, "conversations": conversations}
        connection.execute(ADD_COUNT, row)


def _read_trial(connection: Connection, operator: str, trial_id: int) -> PackTrial:
    row = connection.execute(SELECT_TRIAL, {"of": operator, "this": trial_id}).first()
    if row is None:
        raise TrialStateError(f"{operator} has no such trial")
    return _build_trial(row)


def _row_of(trial: PackTrial) -> dict[str, Any]:
    return {
        "operator": trial.operator,
        "number": trial.number,
        "share_percent": trial.share_percent,
        "beginner": trial.beginner,
        "publication_id": trial.publication_id,
        "created_at": trial.created_at,
        "approver": "",
        "ended_by": "",
    }


def _build_trial(row: Any) -> PackTrial:
    return PackTrial(*(getattr(row, name) for name in PackTrial.__slots__))


def _build_counts(rows: Collection[Any], side: TrialSide) -> TrialCounts:
    counted = {row.outcome: row.conversations for row in rows if row.side == side}
    return TrialCounts(counted.pop(BEGUN, 0), counted)
