"""Audit trail: its lines are serialised as `json` does it, and a change of any of them shows."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.crypto import derive_key, keyed_hash
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET

KEY = derive_key(Secret("a secret of the test"), "audit")
ANA = "+40740000101"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "word", ["", "plain", 'quo"te', "back\\slash", "line\nbreak", "\x00\x1f\x7f", "ș €", "\u2028"]
)
def test_an_audit_line_is_serialised_as_json_does(word: str) -> None:
    words = ["orange-ro", "f" * 32, "sms", "deliver", word, "sent", "n1"]
    line = json.dumps(["2026-03-01T12:00:00.000000+00:00", *words], ensure_ascii=False)
    assert AuditWriter(Secret("a secret of the test")).entry_mac(AT, words) == keyed_hash(KEY, "line", line)


async def write_chain(database: Database, lines: int = 5) -> SqlAuditChain:
    auditor = AuditWriter(SECRET)
    deeds = [AuditEntry("orange-ro", ANA, f"invoice.{n}", NOW, "ussd", f"b-{n}") for n in range(lines)]
    await database.write(lambda connection: auditor.append_entries(connection, deeds))
    audit = SqlAuditChain(database, auditor)
    assert await audit.chain_entries() >= lines
    return audit


async def test_an_untampered_audit_trail_verifies(database: Database) -> None:
    steps = list[tuple[int, int]]()
    chain = await write_chain(database)
    verdict = await chain.verify_chain(NOW, lambda done, total: steps.append((done, total)))
    assert (verdict.chained_count, verdict.unchained_count, verdict.faults) == (5, 0, ())
    assert steps == [(5, 5)]


THIRD = "id = (SELECT min(id) + 2 FROM audit)"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (f"UPDATE audit SET outcome = 'none' WHERE {THIRD}", "line 3: altered"),
        (f"DELETE FROM audit WHERE {THIRD}", "line 3: deleted"),
        (f"UPDATE audit SET id = id + 1000 WHERE {THIRD}", "line 3: deleted"),
        ("UPDATE audit_pages SET line_count = 4, line_ids = '1-4' WHERE number = 1", "page 1: altered"),
        ("UPDATE audit_pages SET newest_at = '2020-01-01T00:00:00+00:00' WHERE number = 1", "page 1: altered"),
        ("DELETE FROM audit_pages WHERE number = 1", "page 2: the pages before are missing"),
        ("DELETE FROM audit_pages WHERE number = 2", "page 3: the pages before are missing"),
    ],
)
async def test_a_tampered_audit_trail_shows_where(statement: str, fault: str, database: Database) -> None:
    for _ in range(3):
        audit = await write_chain(database)
    assert (await audit.verify_chain(NOW)).faults == ()
    await database.write(lambda connection: connection.execute(text(statement)).close())
    assert fault in (await audit.verify_chain(NOW)).faults
