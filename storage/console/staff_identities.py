"""Identities of staff at an identity provider: each gets a name here once and keeps it for good."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import Secret
from storage.crypto import derive_key, keyed_hash
from storage.sql.console_schema import console_identities
from storage.sql.engine import Database

MAX_USERNAME_LENGTH = 64
_ROW = console_identities.c
INSERT_NAME = upsert(console_identities).on_conflict_do_nothing().returning(_ROW.username)
"""Takes a name, or returns nothing when somebody else has it or this user has another."""


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """A user as the identity provider knows them: `iss`, `sub` and `sid`, and the groups that count here."""

    issuer: str
    subject: str = field(repr=False)
    session: str = field(repr=False)
    """The session at the provider; empty where it names none."""
    groups: tuple[str, ...] = ()


class SqlStaffIdentities:
    """Gives each user of a provider a name that nobody else has, whatever the provider calls them later.

    Names at a provider can be changed and given to the next person; `iss` and `sub` together cannot.
    """

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._key = derive_key(secret, "console")

    async def claim_name(
        self, identity: ExternalIdentity, wanted: str, reserved: Collection[str], now: datetime
    ) -> str:
        """Return the user's name; at the first sign-in the wanted one, with a number if that is taken.

        `reserved` are the names of users with passwords.
        """
        subject = hash_subject(self._key, identity)
        names = (name for name in _names_like(wanted) if name not in reserved)
        return await self._database.write(
            lambda connection: _find_name(connection, subject) or _take_name(connection, subject, names, now)
        )


def hash_subject(key: bytes, identity: ExternalIdentity) -> bytes:
    """Return the keyed hash of the user at the provider."""
    return keyed_hash(key, "identity", identity.issuer, identity.subject)


def hash_provider_session(key: bytes, identity: ExternalIdentity) -> bytes | None:
    """Return the keyed hash of the session at the provider; None where it names none."""
    if not identity.session:
        return None
    return keyed_hash(key, "provider session", identity.issuer, identity.session)


def _find_name(connection: Connection, subject: bytes) -> str | None:
    return connection.execute(select(_ROW.username).where(_ROW.subject == subject)).scalar()


def _take_name(connection: Connection, subject: bytes, names: Iterator[str], now: datetime) -> str:
    """Take the first free name, unless a twin of this sign-in has done so meanwhile."""
    taken = None
    while taken is None:
        row = {"subject": subject, "username": next(names), "since": now}
        taken = connection.execute(INSERT_NAME, row).scalar() or _find_name(connection, subject)
    return str(taken)


def _names_like(wanted: str) -> Iterator[str]:
    """Yield the name, then the name with numbers, none longer than a name may be."""
    yield wanted
    number = 2
    while True:
        ending = f"-{number}"
        yield f"{wanted[: MAX_USERNAME_LENGTH - len(ending)]}{ending}"
        number += 1
