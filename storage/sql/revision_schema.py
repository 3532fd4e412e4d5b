"""SQL schema of pack drafts, pack revisions, their publications and trials."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import UtcTime

pack_drafts = Table(
    "pack_drafts",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("author", String(64), nullable=False),
    Column("editors", Text, nullable=False),
    Column("base", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("files", LargeBinary, nullable=False),
    Index(None, "operator", "id"),
)
"""Drafts: `editors` are names, one a line; `files` is written by `storage.revisions.packed_files`."""

pack_revisions = Table(
    "pack_revisions",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("base", Integer, nullable=False),
    Column("author", String(64), nullable=False),
    Column("editors", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("approver", String(64), nullable=False),
    Column("decided_at", UtcTime),
    Column("checks", String(64), nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
    Column("files", LargeBinary, nullable=False),
    CheckConstraint("state IN ('proposed', 'approved', 'rejected')", name="state"),
)
"""Revisions: only the decision about one (`state`, `approver`, `decided_at`) changes, once.

`seal` is a keyed hash over number, files, editors and checks: a row altered in the database is not served.
"""

pack_publications = Table(
    "pack_publications",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("publisher", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("effective_at", UtcTime, nullable=False),
    Index(None, "operator", "effective_at", "id"),
)
"""Append-only: an operator's revision is the one that took effect last; a planned one may be deleted before."""

pack_trials = Table(
    "pack_trials",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("share_percent", Integer, nullable=False),
    Column("beginner", String(64), nullable=False),
    Column("publication_id", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("approver", String(64), nullable=False),
    Column("approved_at", UtcTime),
    Column("ended_by", String(64), nullable=False),
    Column("ended_at", UtcTime),
    CheckConstraint("share_percent BETWEEN 1 AND 50", name="share"),
    Index(None, "operator", "id"),
    Index(
        "ix_pack_trials_open",
        "operator",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)
"""Trials of revisions, one open for each operator; it has ended when its publication is not served any more."""

pack_trial_counts = Table(
    "pack_trial_counts",
    metadata,
    Column("trial_id", BigInteger, primary_key=True, autoincrement=False),
    Column("side", String(16), primary_key=True),
    Column("outcome", String(128), primary_key=True),
    Column("conversations", BigInteger, nullable=False),
)
"""Conversations of each side that ended on a final screen; those begun, where `outcome` is empty."""
