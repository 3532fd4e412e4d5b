"""Audit entries of work on packs: on the page of what staff did, whether by console or command line."""

from datetime import datetime

from flows.domain.pack_revisions import PackEditor
from flows.domain.records import AuditEntry

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
