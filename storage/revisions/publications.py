"""Publications of pack revisions in SQL: which one each operator's subscribers are served, and when."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from flows.domain.pack_revisions import FOLDER_NUMBER, PackEditor, PackPublication, RevisionStateError
from flows.domain.pack_trials import NO_PUBLICATION
from flows.domain.records import Secret
from storage.audit.trail import AuditWriter
from storage.revisions.studio_audit import studio_entry
from storage.sql.engine import Database
from storage.sql.revision_schema import pack_publications

MAX_LISTED = 200
_ROW = pack_publications.c
_NOW = bindparam("now", type_=_ROW.effective_at.type)
_OF = _ROW.operator == bindparam("of")
_NEWEST_FIRST = (_ROW.effective_at.desc(), _ROW.id.desc())
SELECT_HISTORY = select(_ROW.number).where(_OF, _ROW.effective_at <= _NOW).order_by(*_NEWEST_FIRST)
SELECT_CURRENT_ID = select(_ROW.id).where(_OF, _ROW.effective_at <= _NOW).order_by(*_NEWEST_FIRST).limit(1)
SELECT_PUBLICATIONS = select(pack_publications).where(_OF).order_by(*_NEWEST_FIRST).limit(MAX_LISTED)
_RANKED = (
    select(
        pack_publications,
        func.row_number().over(partition_by=_ROW.operator, order_by=_NEWEST_FIRST).label("rank"),
    )
    .where(_ROW.effective_at <= _NOW, _ROW.operator.in_(bindparam("of", expanding=True)))
    .subquery()
)
SELECT_CURRENT = select(_RANKED).where(_RANKED.c.rank == 1)
DELETE_SCHEDULED = (
    delete(pack_publications)
    .where(_OF, _ROW.id == bindparam("this"), _ROW.effective_at > _NOW)
    .returning(_ROW.number)
)


class SqlPackPublications:
    """Reads what is published, and writes it within the transactions of `SqlPackRevisions`."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._audit_writer = database, AuditWriter(secret)

    async def current_publications(
        self, operators: Collection[str], now: datetime
    ) -> Mapping[str, PackPublication]:
        """Return what is served now, by operator; an operator without any is served the folder's pack."""
        values = {"of": sorted(operators), "now": now}
        rows = await self._database.read(lambda connection: connection.execute(SELECT_CURRENT, values).all())
        return {row.operator: _build_publication(row) for row in rows}

    async def list_publications(self, operator: str) -> Sequence[PackPublication]:
        """Return the newest publications, those that are planned first."""
        values = {"of": operator}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_PUBLICATIONS, values).all()
        )
        return [_build_publication(row) for row in rows]

    async def numbers_served(self, operator: str, now: datetime) -> Sequence[int]:
        """Return the numbers served until now, each once, the current one first; empty for the folder only."""
        return await self._database.read(lambda connection: read_history(connection, operator, now))

    async def cancel_scheduled(
        self, operator: str, publication_id: int, editor: PackEditor, now: datetime
    ) -> None:
        """Delete a publication that has not taken effect; RevisionStateError for any other."""

        def job(connection: Connection) -> None:
            values = {"of": operator, "this": publication_id, "now": now}
            number = connection.execute(DELETE_SCHEDULED, values).scalar()
            if number is None:
                raise RevisionStateError("it took effect already, or was cancelled")
            entry = studio_entry(operator, editor, "schedule_cancelled", f"revision {number}", now)
            self._audit_writer.append_entries(connection, (entry,))

        await self._database.write(job)

    def append(
        self,
        connection: Connection,
        operator: str,
        number: int,
        publisher: PackEditor,
        now: datetime,
        effective_at: datetime,
    ) -> None:
        """Write a publication, with its audit entry, within the caller's transaction."""
        row = {
            "operator": operator,
            "number": number,
            "publisher": publisher.name,
            "created_at": now,
            "effective_at": effective_at,
        }
        connection.execute(insert(pack_publications), row)
        action = "published" if effective_at == now else "scheduled"
        what = f"revision {number}" if number != FOLDER_NUMBER else "the folder's pack"
        self._audit_writer.append_entries(connection, (studio_entry(operator, publisher, action, what, now),))


def read_history(connection: Connection, operator: str, now: datetime) -> Sequence[int]:
    """Return the numbers served until now, each once, the current one first."""
    rows = connection.execute(SELECT_HISTORY, {"of": operator, "now": now}).scalars()
    return list(dict.fromkeys(rows))


def read_publication_id(connection: Connection, operator: str, now: datetime) -> int:
    """Return the id of the publication served now; `NO_PUBLICATION` where there was none yet."""
    found = connection.execute(SELECT_CURRENT_ID, {"of": operator, "now": now}).scalar()
    return NO_PUBLICATION if found is None else int(found)


def _build_publication(row: Any) -> PackPublication:
    return PackPublication(row.id, row.operator, row.number, row.publisher, row.created_at, row.effective_at)
