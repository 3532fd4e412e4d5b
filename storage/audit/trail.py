"""Tamper-evident audit log: each entry has a keyed MAC and a hash chained to the previous entry.

An entry is written in the transaction of the change it records, with a MAC of its own; the worker chains
it a moment later, so that writers never wait for each other: by pages of many entries, or, until the database
has the feature `audit_pages`, one by one. Deletion of an entry before it is chained is not detected; any later
deletion is. Truncation at the end shows in the last sequence number and hash (the head), which `dialtree audit
verify` prints to be noted elsewhere.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, text, update

from flows.domain.records import AuditEntry, Secret
from storage.audit.chain_pages import PAGE_LINES, append_page, hash_page
from storage.audit.line_proof import LineProof, find_proof
from storage.audit.page_verification import PageVerifier
from storage.crypto import derive_key, keyed_hash
from storage.sql import bulk
from storage.sql.audit_schema import audit
from storage.sql.engine import Database
from storage.sql.features import AUDIT_PAGES, is_enabled

RETENTION = timedelta(days=365)
"""Retention period of the audit log."""
ENTRY_FIELDS = ("operator", "actor", "channel", "action", "object", "outcome", "correlation")
FIELD_LENGTHS = tuple(audit.c[name].type.length for name in ENTRY_FIELDS)  # type: ignore[attr-defined]
_ENTRY_WORDS = attrgetter(*ENTRY_FIELDS)
ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(:number)")
ADVISORY_LOCK_ID = 0x41554454
"""PostgreSQL advisory lock id: one process chains at a time."""

INSERT_ENTRY = insert(audit)
INSERT_ENTRY_BULK = bulk.build_statement(
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
SELECT_LAST_CHAINED = (
    select(audit.c.seq, audit.c.hash).where(audit.c.seq.is_not(None)).order_by(audit.c.seq.desc()).limit(1)
)
SELECT_UNCHAINED = (
    select(audit.c.id, audit.c.mac).where(audit.c.seq.is_(None)).order_by(audit.c.id).limit(PAGE_LINES)
)
UPDATE_CHAIN = (
    update(audit)
    .where(audit.c.id == bindparam("this"))
    .values(seq=bindparam("next_seq"), hash=bindparam("next_hash"))
)
UPDATE_CHAIN_BULK = bulk.build_statement(
    "UPDATE audit SET seq = given.next_seq, hash = given.next_hash FROM {rows} WHERE audit.id = given.this",
    this="bigint",
    next_seq="bigint",
    next_hash="bytea",
)
SELECT_CHAINED_AFTER = (
    select(audit).where(audit.c.seq > bindparam("after")).order_by(audit.c.seq).limit(PAGE_LINES)
)
COUNT_ALL = select(func.count()).select_from(audit)
COUNT_UNCHAINED = select(func.count()).select_from(audit).where(audit.c.seq.is_(None))


@dataclass(frozen=True, slots=True)
class ChainVerification:
    """Result of verifying the chain."""

    chained_count: int
    unchained_count: int
    """Entries not chained yet."""
    head: str
    """Sequence number and hash of the last entry; noted elsewhere, they reveal a truncated trail."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditWriter:
    """Appends audit entries within the caller's transaction."""

    secret: Secret
    key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", derive_key(self.secret, "audit"))

    def pseudonym(self, operator: str, identity: str) -> str:
        """Return the pseudonym of a number or subscription: 128 bits of a keyed hash, in hex."""
        return keyed_hash(self.key, "actor", operator, identity).hex()[:32]

    def append_entries(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        """Append these entries."""
        if entries:
            bulk.execute_rows(
                connection, INSERT_ENTRY, INSERT_ENTRY_BULK, [self._entry_row(deed) for deed in entries]
            )

    def entry_mac(self, at: datetime, words: Sequence[str]) -> bytes:
        """Return an entry's MAC: over its time and its values in the order of `ENTRY_FIELDS`, as JSON."""
        instant = at.astimezone(UTC).isoformat(timespec="microseconds")
        return keyed_hash(self.key, "line", f"[{', '.join(map(encode_basestring, (instant, *words)))}]")

    def chain_hash(self, previous_hash: bytes, seq: int, mac: bytes) -> bytes:
        """Return the chained hash of an entry, given that of the previous entry."""
        return keyed_hash(self.key, "link", previous_hash.hex(), str(seq), mac.hex())

    def _entry_row(self, entry: AuditEntry) -> bulk.RowValues:
        """Return the entry as the values of `INSERT_ENTRY_BULK`, cut to the columns' lengths."""
        actor = self.pseudonym(entry.operator, entry.actor)
        values = (
            entry.operator,
            actor,
            entry.channel,
            entry.action,
            entry.object,
            entry.outcome,
            entry.correlation,
        )
        words = [value[:length] for value, length in zip(values, FIELD_LENGTHS, strict=True)]
        return entry.happened_at, *words, self.entry_mac(entry.happened_at, words)


class SqlAuditChain:
    """Chains new entries and verifies the chain."""

    def __init__(self, database: Database, audit_writer: AuditWriter) -> None:
        self._database = database
        self._audit_writer = audit_writer

    async def chain_entries(self) -> int:
        """Chain the entries written since the last call and return how many; the worker runs it regularly."""
        count = chained = await self._database.write(self._chain_page)
        while chained == PAGE_LINES:
            chained = await self._database.write(self._chain_page)
            count += chained
        return count

    async def verify_chain(
        self, now: datetime, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> ChainVerification:
        """Verify the whole chain and return its faults; there are none when no entry was changed.

        `on_progress` is called after every page, with the lines verified and the lines in all.
        """
        lines, seq, before, faults = 0, 0, b"", list[str]()
        total = await self._count_entries(COUNT_ALL)
        while rows := await self._chained_after(seq):
            for row in rows:
                faults += self._entry_faults(row, seq, before, now)
                lines, seq, before = lines + 1, row.seq, row.hash
            on_progress(lines, max(lines, total))
        pages = PageVerifier(
            self._database, self._audit_writer.key, self._is_genuine, now - RETENTION, seq, before
        )
        await pages.verify_pages(lambda found: on_progress(lines + found, max(lines + found, total)))
        waiting = max(await self._count_entries(COUNT_UNCHAINED) - pages.line_count, 0)
        head = f"{pages.seq} {pages.hash.hex()}"
        return ChainVerification(lines + pages.line_count, waiting, head, (*faults, *pages.faults))

    async def prove_line(self, line_id: int) -> LineProof | None:
        """Return the proof of one entry by its id; None when it is not chained by page or does not verify."""
        proof = await self._database.read(lambda connection: find_proof(connection, line_id))
        if proof is None or not (self._is_genuine(proof.line) and proof.leads_to_root):
            return None
        return proof if hash_page(self._audit_writer.key, proof.page) == proof.page.hash else None

    def _is_genuine(self, row: Any) -> bool:
        return self._audit_writer.entry_mac(row.at, _ENTRY_WORDS(row)) == row.mac  # type: ignore[no-any-return]

    async def _count_entries(self, statement: Select[int]) -> int:
        return await self._database.read(lambda connection: int(connection.execute(statement).scalar_one()))

    async def _chained_after(self, after_seq: int) -> Sequence[Any]:
        return await self._database.read(lambda c: c.execute(SELECT_CHAINED_AFTER, {"after": after_seq}).all())

    def _entry_faults(self, row: Any, previous_seq: int, previous_hash: bytes, now: datetime) -> Iterator[str]:
        """Yield the faults of one entry.

        The oldest entry that retention left has no predecessor; it is accepted if it is that old.
        """
        if not self._is_genuine(row):
            yield f"line {row.seq}: altered"
        if previous_seq == 0 and row.seq > 1:
            if row.at > now - RETENTION:
                yield f"line {row.seq}: the lines before are missing"
            return
        if row.seq != previous_seq + 1:
            yield f"line {row.seq}: lines before it are missing"
        elif self._audit_writer.chain_hash(previous_hash, row.seq, row.mac) != row.hash:
            yield f"line {row.seq}: not chained to the one before"

    def _chain_page(self, connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(ADVISORY_LOCK, {"number": ADVISORY_LOCK_ID})
        if is_enabled(connection, AUDIT_PAGES):
            return append_page(connection, self._audit_writer.key)
        return self._chain_singly(connection)

    def _chain_singly(self, connection: Connection) -> int:
        """Chain a page of entries, each to the one before, as the previous release does."""
        last = connection.execute(SELECT_LAST_CHAINED).first()
        seq, before = (last.seq, last.hash) if last else (0, b"")
        rows = []
        for loose in connection.execute(SELECT_UNCHAINED).all():
            seq, before = seq + 1, self._audit_writer.chain_hash(before, seq + 1, loose.mac)
            rows.append((loose.id, seq, before))
        if rows:
            bulk.execute_rows(connection, UPDATE_CHAIN, UPDATE_CHAIN_BULK, rows)
        return len(rows)
