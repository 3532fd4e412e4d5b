"""SQL schema of the support console: sessions and names of staff, erasures that wait for a second."""

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, String, Table, Text

from storage.sql.base import metadata
from storage.sql.types import UtcTime

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("username", String(64), nullable=False),
    Column("credential", LargeBinary(32), nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "expires_at"),
    Column("subject", LargeBinary(32), nullable=True),
    Column("provider_session", LargeBinary(32), nullable=True),
    Column("member_of", Text, nullable=True),
)
"""Sessions of staff: `token` and `credential` are keyed hashes, the latter of what signed them in.

The last three are of a sign-in at an identity provider only: keyed hashes of the user and of the session
there, and the user's groups as a JSON list.
"""

console_identities = Table(
    "console_identities",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("since", UtcTime, nullable=False),
)
"""The name each user of an identity provider has here, for good: `subject` is a keyed hash."""

console_erasures = Table(
    "console_erasures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('waiting', 'approved', 'done', 'refused')", name="state"),
    Index(None, "operator", "state", "requested_at"),
)
"""Erasures asked for: `line` is the encrypted number, emptied once it is decided and done."""
