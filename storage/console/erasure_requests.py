"""Erasures asked for in the console: one per line at a time, decided by a second person (four eyes)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher, derive_key, keyed_hash
from storage.sql.engine import Database
from storage.sql.tables import console_erasures

MAX_LISTED = 200
_ROW = console_erasures.c
_UNDECIDED = ("waiting", "approved")
_INSERT = insert(console_erasures)
INSERT_REQUEST = _INSERT.on_conflict_do_update(
    index_elements=[_ROW.id],
    set_={name: _INSERT.excluded[name] for name in console_erasures.c.keys() if name != "id"},  # noqa: SIM118
    where=_ROW.state.not_in(_UNDECIDED),
).returning(_ROW.id)
"""A line whose erasure waits or runs is not asked for again."""
SELECT_WAITING = (
    select(console_erasures)
    .where(_ROW.operator.in_(bindparam("of", expanding=True)), _ROW.state.in_(_UNDECIDED))
    .order_by(_ROW.requested_at)
    .limit(MAX_LISTED)
)
DECIDE = (
    update(console_erasures)
    .where(
        _ROW.id == bindparam("this"),
        _ROW.operator.in_(bindparam("of", expanding=True)),
        _ROW.state.in_(_UNDECIDED),
        _ROW.requested_by != bindparam("who"),
    )
    .values(state=bindparam("to_state"), decided_by=bindparam("who"), changed_at=bindparam("now"))
    .returning(console_erasures)
)
FINISH = update(console_erasures).where(_ROW.id == bindparam("this")).values(state="done", line=b"")


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """An erasure that was asked for."""

    id: str
    operator: str
    number: str = field(repr=False)
    """The line's number; empty once it is erased or refused."""
    state: str
    requested_by: str
    requested_at: datetime


class SqlErasureRequests:
    """Stores requests, and decisions of a person other than who asked."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._audit_writer = database, AuditWriter(secret)
        self._key = derive_key(secret, "console")
        self._cipher = AeadCipher(secret, "console erasures")

    async def add_request(self, operator: str, number: str, who: str, entry: AuditEntry) -> bool:
        """Ask for a line's erasure; False when that waits or runs already."""
        request_id = keyed_hash(self._key, "erasure", operator, number).hex()[:32]
        row = {
            "id": request_id,
            "operator": operator,
            "line": self._cipher.encrypt(number.encode(), request_id),
            "state": "waiting",
            "requested_by": who,
            "requested_at": entry.happened_at,
            "decided_by": "",
            "changed_at": entry.happened_at,
        }

        def job(connection: Connection) -> bool:
            is_new = connection.execute(INSERT_REQUEST, row).first() is not None
            self._audit_writer.append_entries(connection, (entry,) if is_new else ())
            return is_new

        return await self._database.write(job)

    async def list_waiting(self, operators: Collection[str]) -> Sequence[ErasureRequest]:
        """Return what waits for a decision, or was not finished, of these operators; the oldest first."""
        parameters = {"of": sorted(operators)}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_WAITING, parameters).all()
        )
        return [self._build_request(row) for row in rows]

    async def decide_request(
        self, request_id: str, operators: Collection[str], who: str, entry: AuditEntry, *, approve: bool
    ) -> ErasureRequest | None:
        """Approve or refuse a request; None when there is none, or who decides is who asked.

        An approved request that was not finished, because a process ended, may be approved again.
        """
        state = "approved" if approve else "refused"
        values = {"this": request_id, "of": sorted(operators), "who": who, "to_state": state}

        def job(connection: Connection) -> Any:
            row = connection.execute(DECIDE, {**values, "now": entry.happened_at}).first()
            if row is not None and not approve:
                connection.execute(FINISH.values(state="refused"), {"this": request_id})
            self._audit_writer.append_entries(connection, (entry,) if row is not None else ())
            return row

        row = await self._database.write(job)
        return None if row is None else self._build_request(row)

    async def finish_request(self, request: ErasureRequest, entry: AuditEntry) -> None:
        """Record that the line is erased; its number is deleted here, too."""

        def job(connection: Connection) -> None:
            connection.execute(FINISH, {"this": request.id})
            self._audit_writer.append_entries(connection, (entry,))

        await self._database.write(job)

    def _build_request(self, row: Any) -> ErasureRequest:
        number = self._cipher.decrypt(row.line, row.id).decode() if row.line else ""
        return ErasureRequest(row.id, row.operator, number, row.state, row.requested_by, row.requested_at)
