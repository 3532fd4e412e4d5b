"""Pack drafts in SQL: opened from a revision or a folder, saved file by file by compare-and-set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from flows.domain.pack_revisions import DraftChangedError, PackEditor, PackFiles, RevisionError, StoredDraft
from flows.domain.records import Secret
from storage.audit.trail import AuditWriter
from storage.revisions.packed_files import pack_files, unpack_files
from storage.revisions.studio_audit import studio_entry
from storage.sql.engine import Database
from storage.sql.revision_schema import pack_drafts

MAX_DRAFTS = 50
"""Open drafts an operator may have."""
_ROW = pack_drafts.c
_OF = _ROW.operator == bindparam("of")
_VERSION_READ = (_ROW.id == bindparam("this"), _ROW.version == bindparam("read_version"))
INSERT_DRAFT = insert(pack_drafts).returning(_ROW.id)
COUNT_DRAFTS = select(func.count()).select_from(pack_drafts).where(_OF)
SELECT_OLDEST_BY = select(pack_drafts).where(_OF, _ROW.author == bindparam("who")).order_by(_ROW.id).limit(1)
SELECT_DRAFTS = select(pack_drafts).where(_OF).order_by(_ROW.id.desc()).limit(MAX_DRAFTS)
UPDATE_DRAFT = (
    update(pack_drafts)
    .where(*_VERSION_READ)
    .values(
        files=bindparam("new_files"),
        editors=bindparam("new_editors"),
        version=_ROW.version + 1,
        updated_at=bindparam("now"),
    )
)
DELETE_DRAFT = delete(pack_drafts).where(*_VERSION_READ)


class SqlPackDrafts:
    """Stores drafts of every operator's pack."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._audit_writer = database, AuditWriter(secret)

    async def open_draft(
        self, operator: str, editor: PackEditor, files: PackFiles, now: datetime, *, base: int
    ) -> StoredDraft:
        """Store a new draft that begins with these files, those of revision `base` or of the folder (0).

        Raises RevisionError when `MAX_DRAFTS` of the operator are open.
        """
        row = {
            "operator": operator,
            "author": editor.name,
            "editors": join_names(editor.identities),
            "base": base,
            "version": 1,
            "updated_at": now,
            "files": pack_files(files),
        }

        def job(connection: Connection) -> int:
            if connection.execute(COUNT_DRAFTS, {"of": operator}).scalar_one() >= MAX_DRAFTS:
                raise RevisionError(f"{operator} has {MAX_DRAFTS} open drafts; discard or propose some first")
            draft_id = int(connection.execute(INSERT_DRAFT, row).scalar_one())
            entry = studio_entry(operator, editor, "draft_opened", f"draft {draft_id} from {base}", now)
            self._audit_writer.append_entries(connection, (entry,))
            return draft_id

        draft_id = await self._database.write(job)
        return StoredDraft(draft_id, operator, editor.name, editor.identities, base, 1, now, files)

    async def find_draft(self, operator: str, author: str) -> StoredDraft | None:
        """Return the oldest draft that an author opened of an operator's pack; None when there is none."""
        values = {"of": operator, "who": author}
        row = await self._database.read(lambda connection: connection.execute(SELECT_OLDEST_BY, values).first())
        return None if row is None else _build_draft(row)

    async def list_drafts(self, operator: str) -> Sequence[StoredDraft]:
        """Return an operator's drafts, the newest first."""
        values = {"of": operator}
        rows = await self._database.read(lambda connection: connection.execute(SELECT_DRAFTS, values).all())
        return [_build_draft(row) for row in rows]

    async def save_files(
        self, draft: StoredDraft, changes: Mapping[str, str | None], editor: PackEditor, now: datetime
    ) -> StoredDraft:
        """Replace, add or (None) remove files of a draft; return it as it is then.

        Raises DraftChangedError when it has been saved, proposed or discarded since it was read, and
        RevisionError for a path or size no pack has.
        """
        files, editors = draft.files.with_changes(changes), draft.editors | editor.identities
        values = {**_version_of(draft), "new_files": pack_files(files), "new_editors": join_names(editors)}
        what = f"draft {draft.id}: {', '.join(sorted(changes))}"
        entry = studio_entry(draft.operator, editor, "draft_saved", what, now)

        def job(connection: Connection) -> None:
            if not connection.execute(UPDATE_DRAFT, {**values, "now": now}).rowcount:
                raise DraftChangedError
            self._audit_writer.append_entries(connection, (entry,))

        await self._database.write(job)
        return replace(draft, editors=editors, version=draft.version + 1, updated_at=now, files=files)

    async def discard_draft(self, draft: StoredDraft, editor: PackEditor, now: datetime) -> None:
        """Delete a draft; DraftChangedError when it has changed since it was read."""
        entry = studio_entry(draft.operator, editor, "draft_discarded", f"draft {draft.id}", now)

        def job(connection: Connection) -> None:
            delete_draft(connection, draft)
            self._audit_writer.append_entries(connection, (entry,))

        await self._database.write(job)


def delete_draft(connection: Connection, draft: StoredDraft) -> None:
    """Delete a draft within the caller's transaction; DraftChangedError when it has changed meanwhile."""
    if not connection.execute(DELETE_DRAFT, _version_of(draft)).rowcount:
        raise DraftChangedError


def join_names(names: Collection[str]) -> str:
    """Return names as the text of a column, one a line."""
    return "\n".join(sorted(names))


def split_names(text: str) -> frozenset[str]:
    """Return the names of a column."""
    return frozenset(filter(None, text.split("\n")))


def _version_of(draft: StoredDraft) -> dict[str, Any]:
    return {"this": draft.id, "read_version": draft.version}


def _build_draft(row: Any) -> StoredDraft:
    return StoredDraft(
        row.id,
        row.operator,
        row.author,
        split_names(row.editors),
        row.base,
        row.version,
        row.updated_at,
        unpack_files(row.files),
    )
