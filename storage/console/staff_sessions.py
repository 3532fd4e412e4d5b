"""Sessions of staff in SQL: the keyed hash of a random token, with an idle and an absolute time limit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.console.staff_identities import ExternalIdentity, hash_provider_session, hash_subject
from storage.crypto import derive_key, keyed_hash
from storage.sql.engine import Database
from storage.sql.tables import console_sessions

SEEN_INTERVAL = timedelta(seconds=30)
"""How far the stored time of the last request may lag behind, so that not every look is a write."""
_ROW = console_sessions.c


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How long a session lasts."""

    idle: timedelta
    """Since the last request."""
    absolute: timedelta
    """Since the sign-in."""


@dataclass(frozen=True, slots=True)
class StaffSession:
    """A session that has not ended."""

    username: str
    credential: bytes = field(repr=False)
    """Keyed hash of what the sign-in was checked against: the password's hash, or the provider and client."""
    groups: tuple[str, ...] | None = None
    """The user's groups at the identity provider; None for a sign-in with a password."""


def parse_groups(stored: str | None) -> tuple[str, ...] | None:
    """Return the groups of a session's row; what is no JSON list of texts gives none, and thus no rights."""
    if stored is None:
        return None
    try:
        groups = json.loads(stored)
    except (ValueError, RecursionError):
        return ()
    return tuple(each for each in groups if isinstance(each, str)) if isinstance(groups, list) else ()


class SqlStaffSessions:
    """Opens, finds and closes sessions of staff."""

    def __init__(self, database: Database, secret: Secret, terms: SessionTerms) -> None:
        self._database, self._terms = database, terms
        self._key = derive_key(secret, "console")
        self._audit_writer = AuditWriter(secret)

    async def open_session(
        self,
        token: Secret,
        username: str,
        credential: str,
        now: datetime,
        entry: AuditEntry,
        identity: ExternalIdentity | None = None,
    ) -> None:
        """Store a new session with the audit entry of its sign-in.

        `credential` is the password's hash, or names the provider and client that `identity` comes from.
        """
        row = {
            "token": self._token_hash(token),
            "username": username,
            "credential": self._credential(credential),
            "seen_at": now,
            "expires_at": now + self._terms.absolute,
            **self._identity_columns(identity),
        }

        def job(connection: Connection) -> None:
            connection.execute(insert(console_sessions), row)
            self._audit_writer.append_entries(connection, (entry,))

        await self._database.write(job)

    async def find_session(self, token: Secret, now: datetime) -> StaffSession | None:
        """Return a session and count it as seen; None when it is over or was never opened."""
        live = (
            _ROW.token == self._token_hash(token),
            _ROW.seen_at > now - self._terms.idle,
            _ROW.expires_at > now,
        )
        statement = select(_ROW.username, _ROW.credential, _ROW.seen_at, _ROW.member_of).where(*live)
        row = await self._database.read(lambda connection: connection.execute(statement).first())
        if row is None:
            return None
        if now - row.seen_at > SEEN_INTERVAL:
            seen = update(console_sessions).where(*live).values(seen_at=now)
            await self._database.write(lambda connection: connection.execute(seen))
        return StaffSession(row.username, row.credential, parse_groups(row.member_of))

    def is_of_credential(self, session: StaffSession, credential: str) -> bool:
        """Return whether the session was opened with this: another password ends the sessions before."""
        return session.credential == self._credential(credential)

    async def close_session(self, token: Secret) -> None:
        """Delete a session; one that is not there is no error."""
        statement = delete(console_sessions).where(_ROW.token == self._token_hash(token))
        await self._database.write(lambda connection: connection.execute(statement))

    async def close_sessions_of(self, identity: ExternalIdentity) -> int:
        """Delete the sessions of one session at the identity provider, or all of a user; return how many.

        An empty `session` of the identity means all of the user's, an empty `subject` whoever's session it is.
        """
        of_session = hash_provider_session(self._key, identity)
        conditions = [] if of_session is None else [_ROW.provider_session == of_session]
        if identity.subject:
            conditions.append(_ROW.subject == hash_subject(self._key, identity))
        if not conditions:
            return 0
        statement = delete(console_sessions).where(*conditions)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)

    def session_label(self, token: Secret) -> str:
        """Return a name of the session, to bind sealed addresses to it: 64 hexadecimal digits."""
        return keyed_hash(self._key, "label", token.value).hex()

    def _identity_columns(self, identity: ExternalIdentity | None) -> Mapping[str, Any]:
        if identity is None:
            return {}
        return {
            "subject": hash_subject(self._key, identity),
            "provider_session": hash_provider_session(self._key, identity),
            "member_of": json.dumps(identity.groups),
        }

    def _token_hash(self, token: Secret) -> bytes:
        return keyed_hash(self._key, "session", token.value)

    def _credential(self, credential: str) -> bytes:
        return keyed_hash(self._key, "credential", credential)
