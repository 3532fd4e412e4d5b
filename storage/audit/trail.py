"""The audit trail: who read, received or changed what, each line vouched for and chained to the one before.

A line is written in the transaction of what it tells, with a keyed MAC of its own, and chained a moment
later by the worker: nobody who writes waits for anybody else. Lines deleted before they are chained are
not missed; all others are. What was cut off at the end shows in the last number and hash, which
`dialtree audit verify` prints to be noted elsewhere.
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
"""Retention of the trail."""
PAGE = 1_000
"""Lines chained in one transaction, or verified at once."""
FIELDS = ("operator", "actor", "channel", "action", "object", "outcome", "correlation")
MOST = tuple(audit.c[name].type.length for name in FIELDS)  # type: ignore[attr-defined]
_TOLD = attrgetter(*FIELDS)
LOCK = text("SELECT pg_advisory_xact_lock(:number)")
LOCK_NUMBER = 0x41554454
"""One process chains at a time."""

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
    """What a walk along the chain found."""

    lines: int
    waiting: int
    """Lines not chained yet."""
    head: str
    """The last line's number and hash: note them elsewhere, and a cut end shows."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Auditor:
    """Writes lines inside somebody's transaction."""

    secret: Secret
    key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", derived(self.secret, "audit"))

    def actor(self, operator: str, who: str) -> str:
        """The pseudonym of a number or subscription: 128 bits of a keyed hash."""
        return mark(self.key, "actor", operator, who).hex()[:32]

    def write(self, connection: Connection, deeds: Sequence[Deed]) -> None:
        """Append these lines."""
        if deeds:
            bulk.execute(connection, ADD, ADD_ALL, [self._row(deed) for deed in deeds])

    def mac(self, at: datetime, words: Sequence[str]) -> bytes:
        """What vouches for a line: when it was, and its words in the order of `FIELDS`, as JSON."""
        instant = at.astimezone(UTC).isoformat(timespec="microseconds")
        return mark(self.key, "line", f"[{', '.join(map(encode_basestring, (instant, *words)))}]")

    def link(self, before: bytes, seq: int, mac: bytes) -> bytes:
        """The hash of a line, given that of the line before."""
        return mark(self.key, "link", before.hex(), str(seq), mac.hex())

    def _row(self, deed: Deed) -> bulk.Row:
        """The line as `ADD_ALL` takes it."""
        operator, who, *others = _TOLD(deed)
        told = (operator, self.actor(operator, who), *others)
        words = [word[:most] for word, most in zip(told, MOST, strict=True)]
        return deed.at, *words, self.mac(deed.at, words)


class SqlAudit:
    """Chains and verifies the trail."""

    def __init__(self, database: Database, auditor: Auditor) -> None:
        self._database = database
        self._auditor = auditor

    async def chain(self) -> int:
        """Chain the lines written since; how many. Run by the worker every few seconds."""
        count = chained = await self._database.write(self._chain)
        while chained == PAGE:
            chained = await self._database.write(self._chain)
            count += chained
        return count

    async def verify(self, now: datetime) -> Verdict:
        """Walk the whole chain; its faults, none when nobody touched it."""
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
        """The first line left by retention is taken as it is, if it is as old as that."""
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
