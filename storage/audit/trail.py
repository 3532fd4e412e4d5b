"""Tamper-evident audit trail: each entry has a keyed MAC and a hash chained to the previous entry.

An entry is written in the transaction of the change it records, with a MAC of its own; the worker chains
it a moment later, so that writers never wait for each other. Deletion of an entry before it is chained is
not detected; any later deletion is. Truncation at the end shows in the last sequence number and hash (the
head), which `dialtree audit verify` prints to be noted elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from flows.domain.records import Deed, Secret
from storage.crypto import derived, mark
from storage.sql import bulk
from storage.sql.audit_schema import audit
from storage.sql.engine import Database

KEEP = timedelta(days=365)
"""Retention period of the audit trail."""
PAGE = 1_000
"""Entries chained in one transaction, or verified at a time."""
FIELDS = ("operator", "actor", "channel", "action", "object", "outcome", "correlation")
MOST = tuple(audit.c[name].type.length for name in FIELDS)  # type: ignore[attr-defined]
_TOLD = attrgetter(*FIELDS)
LOCK = text("SELECT pg_advisory_xact_lock(:number)")
LOCK_NUMBER = 0x41554454
"""PostgreSQL advisory lock id: one process chains at a time."""

ADD = insert(audit)
ADD_ALL = bulk.unnested(
    """
    INSERT INTO audit (at, operator, actor, channel, action, object, outcome, correlation, mac)
    SELECT * FROM {rows}
    """,
    at="timestamptz",
    operator="varchar",
    actor="varchar",
    channel="varchar",
    action="varchar",
    object="varchar",
    outcome="varchar",
    correlation="varchar",
    mac="bytea",
)
LAST = select(audit.c.seq, audit.c.hash).where(audit.c.seq.is_not(None)).order_by(audit.c.seq.desc()).limit(1)
LOOSE = select(audit.c.id, audit.c.mac).where(audit.c.seq.is_(None)).order_by(audit.c.id).limit(PAGE)
CHAIN = (
    update(audit)
    .where(audit.c.id == bindparam("this"))
    .values(seq=bindparam("next_seq"), hash=bindparam("next_hash"))
)
CHAIN_ALL = bulk.unnested(
    "UPDATE audit SET seq = given.next_seq, hash = given.next_hash FROM {rows} WHERE audit.id = given.this",
    this="bigint",
    next_seq="bigint",
    next_hash="bytea",
)
WALK = select(audit).where(audit.c.seq > bindparam("after")).order_by(audit.c.seq).limit(PAGE)
WAITING = select(func.count()).select_from(audit).where(audit.c.seq.is_(None))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of verifying the chain."""

    lines: int
    waiting: int
    """Entries not chained yet."""
    head: str
    """Sequence number and hash of the last entry; noted elsewhere, they reveal a truncated trail."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Auditor:
    """Appends audit entries within the caller's transaction."""

    secret: Secret
    key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", derived(self.secret, "audit"))

    def actor(self, operator: str, who: str) -> str:
        """Return the pseudonym of a number or subscription: 128 bits of a keyed hash, in hex."""
        return mark(self.key, "actor", operator, who).hex()[:32]

    def write(self, connection: Connection, deeds: Sequence[Deed]) -> None:
        """Append these entries."""
        if deeds:
            bulk.execute(connection, ADD, ADD_ALL, [self._row(deed) for deed in deeds])

    def mac(self, at: datetime, words: Sequence[str]) -> bytes:
        """Return an entry's MAC: over its time and its values in the order of `ENTRY_FIELDS`, as JSON."""
        instant = at.astimezone(UTC).isoformat(timespec="microseconds")
        return mark(self.key, "line", f"[{', '.join(map(encode_basestring, (instant, *words)))}]")

    def link(self, before: bytes, seq: int, mac: bytes) -> bytes:
        """Return the chained hash of an entry, given that of the previous entry."""
        return mark(self.key, "link", before.hex(), str(seq), mac.hex())

    def _row(self, deed: Deed) -> bulk.Row:
        """Return the entry as the values of `INSERT_ENTRY_BULK`, cut to the columns' lengths."""
        actor = self.actor(deed.operator, deed.actor)
        values = (deed.operator, actor, deed.channel, deed.action, deed.object, deed.outcome, deed.correlation)
        words = [value[:length] for value, length in zip(values, MOST, strict=True)]
        return deed.at, *words, self.mac(deed.at, words)


class SqlAudit:
    """Chains new entries and verifies the chain."""

    def __init__(self, database: Database, auditor: Auditor) -> None:
        self._database = database
        self._auditor = auditor

    async def chain(self) -> int:
        """Chain the entries written since the last call and return how many; the worker runs it regularly."""
        count = chained = await self._database.write(self._chain)
        while chained == PAGE:
            chained = await self._database.write(self._chain)
            count += chained
        return count

    async def verify(self, now: datetime) -> Verdict:
        """Verify the whole chain and return its faults; there are none when no entry was changed."""
        lines, seq, before, faults = 0, 0, b"", list[str]()
        while rows := await self._page(seq):
            for row in rows:
                faults += self._checked(row, seq, before, now)
                lines, seq, before = lines + 1, row.seq, row.hash
        waiting = await self._database.read(lambda c: int(c.execute(WAITING).scalar_one()))
        return Verdict(lines, waiting, f"{seq} {before.hex()}", tuple(faults))

    async def _page(self, after: int) -> Sequence[Any]:
        return await self._database.read(lambda c: c.execute(WALK, {"after": after}).all())

    def _checked(self, row: Any, seq: int, before: bytes, now: datetime) -> Iterator[str]:
        """Yield the faults of one entry.

        The oldest entry that retention left has no predecessor; it is accepted if it is that old.
        """
        if self._auditor.mac(row.at, _TOLD(row)) != row.mac:
            yield f"line {row.seq}: altered"
        if seq == 0 and row.seq > 1:
            if row.at > now - KEEP:
                yield f"line {row.seq}: the lines before are missing"
            return
        if row.seq != seq + 1:
            yield f"line {row.seq}: lines before it are missing"
        elif self._auditor.link(before, row.seq, row.mac) != row.hash:
            yield f"line {row.seq}: not chained to the one before"

    def _chain(self, connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(LOCK, {"number": LOCK_NUMBER})
        last = connection.execute(LAST).first()
        seq, before = (last.seq, last.hash) if last else (0, b"")
        rows = []
        for loose in connection.execute(LOOSE).all():
            seq, before = seq + 1, self._auditor.link(before, seq + 1, loose.mac)
            rows.append((loose.id, seq, before))
        if rows:
            bulk.execute(connection, CHAIN, CHAIN_ALL, rows)
        return len(rows)
