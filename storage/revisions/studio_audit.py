"""Audit entries of work on packs: on the page of what staff did, whether by console or command line."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from flows.domain.pack_revisions import OwnRevisionError, PackEditor
from flows.domain.pack_trials import OwnTrialError
from flows.domain.records import AuditEntry
from storage.audit.trail import AuditWriter
from storage.sql.engine import Database

T = TypeVar("T")
STAFF_CHANNEL = "console"
"""Channel of the entries of staff; their `correlation` is the user's name."""


def studio_entry(
    operator: str, editor: PackEditor, action: str, what: str, now: datetime, outcome: str = "ok"
) -> AuditEntry:
    """Build the entry of something an editor did; `what` names the draft or revision."""
    place = f" ({editor.account}, command line)" if editor.account else ""
    return AuditEntry(
        operator, editor.name, f"pack.{action}", now, STAFF_CHANNEL, f"{what}{place}", outcome, editor.name
    )


async def approve_recorded(
    database: Database, job: Callable[[Connection], T], audit_writer: AuditWriter, refusal: AuditEntry
) -> T:
    """Run an approval; when it is of the person's own work, write `refusal` before the error goes on."""
    try:
        return await database.write(job)
    except (OwnRevisionError, OwnTrialError):
        await database.write(lambda connection: audit_writer.append_entries(connection, (refusal,)))
        raise
