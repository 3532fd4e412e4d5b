"""Pack revisions in SQL: proposed from a draft, numbered without gaps, approved by a second person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from flows.domain.pack_revisions import (
    FOLDER_NUMBER,
    MAX_MESSAGE_CHARACTERS,
    OwnRevisionError,
    PackEditor,
    PackFiles,
    PackRevision,
    RevisionError,
    RevisionState,
    RevisionStateError,
    StoredDraft,
    UnknownRevisionError,
    UnreadableRevisionError,
)
from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import derive_key, keyed_hash
from storage.revisions.drafts import delete_draft, join_names, split_names
from storage.revisions.packed_files import pack_files, unpack_files
from storage.revisions.publications import SqlPackPublications, read_history
from storage.revisions.studio_audit import approve_recorded, studio_entry
from storage.revisions.trials import SqlPackTrials
from storage.sql.engine import Database
from storage.sql.revision_schema import pack_revisions

MAX_LISTED = 200
ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(:number)")
ADVISORY_LOCK_ID = 0x5041434B
"""PostgreSQL advisory lock id: one process numbers revisions at a time. SQLite has one writer anyway."""
_ROW = pack_revisions.c
_SHOWN = [column for column in pack_revisions.c if column.name not in ("files", "seal")]
_THIS = (_ROW.operator == bindparam("of"), _ROW.number == bindparam("this"))
SELECT_LAST_NUMBER = select(func.coalesce(func.max(_ROW.number), 0)).where(_ROW.operator == bindparam("of"))
SELECT_REVISION = select(*_SHOWN).where(*_THIS)
SELECT_REVISIONS = (
    select(*_SHOWN).where(_ROW.operator == bindparam("of")).order_by(_ROW.number.desc()).limit(MAX_LISTED)
)
SELECT_FILES = select(pack_revisions).where(*_THIS)
DECIDE = (
    update(pack_revisions)
    .where(*_THIS, _ROW.state == "proposed")
    .values(state=bindparam("to_state"), approver=bindparam("who"), decided_at=bindparam("now"))
)


class SqlPackRevisions:
    """Stores the revisions of all packs; `publications` says which is served, `trials` which is tried."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._audit_writer = database, AuditWriter(secret)
        self._key = derive_key(secret, "pack revisions")
        self.publications = SqlPackPublications(database, secret)
        self.trials = SqlPackTrials(database, secret)

    async def propose(
        self, draft: StoredDraft, author: PackEditor, message: str, now: datetime, *, checks: str
    ) -> PackRevision:
        """Make a draft the next revision, which waits for approval, and delete the draft.

        The caller has found nothing in its files; `checks` is the hash of the checks that say so. Raises
        DraftChangedError, and RevisionError for a message that is empty or too long.
        """
        message = message.strip()
        if not 0 < len(message) <= MAX_MESSAGE_CHARACTERS:
            raise RevisionError(f"say what changed, in 1 to {MAX_MESSAGE_CHARACTERS} characters")

        def job(connection: Connection) -> PackRevision:
            _lock_numbers(connection)
            delete_draft(connection, draft)
            last = int(connection.execute(SELECT_LAST_NUMBER, {"of": draft.operator}).scalar_one())
            revision = _next_revision(draft, last + 1, author, message, now, checks)
            connection.execute(insert(pack_revisions), self._row_of(revision, draft.files))
            self._append(connection, revision, author, "proposed", now)
            return revision

        return await self._database.write(job)

    async def approve(self, operator: str, number: int, approver: PackEditor, now: datetime) -> PackRevision:
        """Let a proposed revision be published.

        Raises OwnRevisionError for a person who edited it; the attempt is in the audit log then.
        """
        return await self._decide(operator, number, approver, "approved", now)

    async def reject(self, operator: str, number: int, approver: PackEditor, now: datetime) -> PackRevision:
        """Refuse a proposed revision for good; its editors may do that, too."""
        return await self._decide(operator, number, approver, "rejected", now)

    async def list_revisions(self, operator: str, now: datetime) -> Sequence[PackRevision]:
        """Return the newest revisions, the newest first."""

        def job(connection: Connection) -> Sequence[PackRevision]:
            served = read_history(connection, operator, now)
            rows = connection.execute(SELECT_REVISIONS, {"of": operator})
            return [_build_revision(row, served) for row in rows]

        return await self._database.read(job)

    async def read_revision(self, operator: str, number: int, now: datetime) -> PackRevision:
        """Return a revision; UnknownRevisionError when there is none of this number."""
        return await self._database.read(lambda connection: read_stored(connection, operator, number, now))

    async def read_files(self, operator: str, number: int) -> PackFiles:
        """Return a revision's files; UnknownRevisionError or UnreadableRevisionError."""
        values = {"of": operator, "this": number}
        row = await self._database.read(lambda connection: connection.execute(SELECT_FILES, values).first())
        if row is None:
            raise UnknownRevisionError(_missing(operator, number))
        files = unpack_files(row.files)
        revision = _build_revision(row, [])
        if files.digest != row.digest or row.seal != self._seal_of(revision):
            raise UnreadableRevisionError(f"{operator} {number}: altered, or written with another secret_key")
        return files

    async def publish(
        self, operator: str, number: int, publisher: PackEditor, now: datetime, at: datetime | None = None
    ) -> None:
        """Serve an approved revision from now on, or from the instant `at`, or `FOLDER_NUMBER` the folder's.

        Publishing an older one again is a rollback. Raises UnknownRevisionError, and RevisionStateError for a
        revision that is not approved.
        """
        effective_at = max(now, at or now)

        def job(connection: Connection) -> None:
            if number != FOLDER_NUMBER:
                _require_approved(read_stored(connection, operator, number, now))
            self.publications.append(connection, operator, number, publisher, now, effective_at)

        await self._database.write(job)

    async def _decide(
        self,
        operator: str,
        number: int,
        approver: PackEditor,
        state: Literal["approved", "rejected"],
        now: datetime,
    ) -> PackRevision:
        values = {"of": operator, "this": number, "to_state": state, "who": approver.name, "now": now}

        def job(connection: Connection) -> PackRevision:
            revision = read_stored(connection, operator, number, now)
            if state == "approved" and not revision.editors.isdisjoint(approver.identities):
                raise OwnRevisionError
            if not connection.execute(DECIDE, values).rowcount:
                raise RevisionStateError(f"{operator} {number} is {revision.state}; it was decided already")
            self._append(connection, revision, approver, state, now)
            return read_stored(connection, operator, number, now)

        refusal = studio_entry(operator, approver, state, f"revision {number}", now, "refused")
        return await approve_recorded(self._database, job, self._audit_writer, refusal)

    def _append(
        self, connection: Connection, revision: PackRevision, editor: PackEditor, action: str, now: datetime
    ) -> None:
        entry: AuditEntry = studio_entry(
            revision.operator, editor, action, f"revision {revision.number}", now, revision.digest[:8]
        )
        self._audit_writer.append_entries(connection, (entry,))

    def _row_of(self, revision: PackRevision, files: PackFiles) -> dict[str, Any]:
        return {
            "operator": revision.operator,
            "number": revision.number,
            "digest": revision.digest,
            "base": revision.base,
            "author": revision.author,
            "editors": join_names(revision.editors),
            "message": revision.message,
            "created_at": revision.created_at,
            "state": "proposed",
            "approver": "",
            "decided_at": None,
            "checks": revision.checks,
            "seal": self._seal_of(revision),
            "files": pack_files(files),
        }

    def _seal_of(self, revision: PackRevision) -> bytes:
        """Return the keyed hash that binds files, editors and checks to their number."""
        parts = (revision.operator, str(revision.number), revision.digest, join_names(revision.editors))
        return keyed_hash(self._key, *parts, revision.checks)


def read_stored(connection: Connection, operator: str, number: int, now: datetime) -> PackRevision:
    """Return a revision within the caller's transaction; UnknownRevisionError when there is none."""
    row = connection.execute(SELECT_REVISION, {"of": operator, "this": number}).first()
    if row is None:
        raise UnknownRevisionError(_missing(operator, number))
    return _build_revision(row, read_history(connection, operator, now))


def _next_revision(
    draft: StoredDraft, number: int, author: PackEditor, message: str, now: datetime, checks: str
) -> PackRevision:
    editors = draft.editors | author.identities
    digest = draft.files.digest
    return PackRevision(
        draft.operator,
        number,
        digest,
        draft.base,
        author.name,
        editors,
        message,
        now,
        "proposed",
        checks=checks,
    )


def _lock_numbers(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(ADVISORY_LOCK, {"number": ADVISORY_LOCK_ID})


def _require_approved(revision: PackRevision) -> None:
    if revision.state in ("proposed", "rejected"):
        raise RevisionStateError(f"{revision.operator} {revision.number} is {revision.state}, not approved")


def _missing(operator: str, number: int) -> str:
    return f"{operator} has no revision {number}"


def _build_revision(row: Any, served: Sequence[int]) -> PackRevision:
    """Build a revision; `served` are the numbers served so far, the current one first."""
    state: RevisionState = row.state
    if row.number in served:
        state = "published" if row.number == served[0] else "superseded"
    return PackRevision(
        row.operator,
        row.number,
        row.digest,
        row.base,
        row.author,
        split_names(row.editors),
        row.message,
        row.created_at,
        state,
        row.approver,
        row.decided_at,
        row.checks,
    )
