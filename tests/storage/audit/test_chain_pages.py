"""Audit chain by page: late commits, lines chained singly, the previous release, retention, proofs."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text

from flows.domain.records import AuditEntry
from storage.audit import chain_pages
from storage.audit.merkle import follow_path
from storage.audit.trail import RETENTION, AuditWriter, SqlAuditChain
from storage.privacy.retention import apply_retention
from storage.sql.engine import Database
from storage.sql.features import database_features
from storage.sql.migrate import finish_upgrade
from storage.sql.tables import audit
from tests.storage.audit.test_trail import write_chain
from tests.support.databases import NOW, SECRET

SECOND_ROW = select(audit).order_by(audit.c.id).offset(1).limit(1)


async def disable_features(database: Database) -> None:
    """Make a database as an upgrade leaves it."""
    await database.write(lambda connection: connection.execute(delete(database_features)).close())


async def write_old_and_new_lines(database: Database) -> SqlAuditChain:
    """Chain five lines one by one, then five more by page."""
    await disable_features(database)
    await write_chain(database)
    await finish_upgrade(database)
    return await write_chain(database)


async def test_a_line_committed_after_its_neighbours_is_chained_by_the_next_page(database: Database) -> None:
    await write_chain(database, lines=1)
    await append_lines(database, 3)
    late = await database.read(lambda c: c.execute(SECOND_ROW).one()._asdict())
    await database.write(lambda c: c.execute(delete(audit).where(audit.c.id == late["id"])).close())
    chain = SqlAuditChain(database, AuditWriter(SECRET))
    assert await chain.chain_entries() == 2
    await database.write(lambda c: c.execute(insert(audit), late).close())
    assert (await chain.verify_chain(NOW)).unchained_count == 1
    assert await chain.chain_entries() == 1
    verdict = await chain.verify_chain(NOW)
    assert (verdict.chained_count, verdict.unchained_count, verdict.faults) == (4, 0, ())


async def append_lines(database: Database, lines: int) -> None:
    entries = [AuditEntry("orange-ro", "+40740000101", f"step.{n}", NOW) for n in range(lines)]
    await database.write(lambda connection: AuditWriter(SECRET).append_entries(connection, entries))


async def test_more_lines_than_a_page_holds_are_several_pages(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_pages, "PAGE_LINES", 2)
    monkeypatch.setattr("storage.audit.trail.PAGE_LINES", 2)
    chain = await write_chain(database)
    verdict = await chain.verify_chain(NOW)
    assert (verdict.chained_count, verdict.head.split()[0], verdict.faults) == (5, "5", ())
    count = await database.read(lambda c: c.execute(text("SELECT count(*) FROM audit_pages")).scalar_one())
    assert count == 3


async def test_pages_go_on_after_lines_chained_one_by_one(database: Database) -> None:
    chain = await write_old_and_new_lines(database)
    verdict = await chain.verify_chain(NOW)
    assert (verdict.chained_count, verdict.head.split()[0], verdict.faults) == (10, "10", ())


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM audit WHERE seq = 3", "line 4: lines before it are missing"),
        ("DELETE FROM audit WHERE seq = 5", "page 1: not chained to the one before"),
        ("DELETE FROM audit WHERE seq = 1", "line 2: the lines before are missing"),
        ("UPDATE audit SET outcome = 'none' WHERE seq IS NULL", "line 6: altered"),
    ],
)
async def test_tampering_on_either_side_of_the_border_shows(
    statement: str, fault: str, database: Database
) -> None:
    chain = await write_old_and_new_lines(database)
    await database.write(lambda connection: connection.execute(text(statement)).close())
    assert fault in (await chain.verify_chain(NOW)).faults


async def test_a_late_line_of_the_time_before_the_pages_is_chained(database: Database) -> None:
    chain = await write_old_and_new_lines(database)
    loosen = text("UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 5")
    await database.write(lambda c: c.execute(text("DELETE FROM audit_pages")).close())
    await database.write(lambda c: c.execute(loosen).close())
    assert await chain.chain_entries() == 6
    assert (await chain.verify_chain(NOW)).faults == ()


async def test_what_the_previous_release_chains_again_still_verifies(database: Database) -> None:
    chain = await write_old_and_new_lines(database)
    await disable_features(database)
    await write_chain(database)
    await finish_upgrade(database)
    await write_chain(database)
    verdict = await chain.verify_chain(NOW)
    assert (verdict.unchained_count, verdict.faults) == (0, ())


async def test_retention_leaves_a_chain_that_verifies(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = await write_old_and_new_lines(database)
    monkeypatch.setattr(chain_pages, "MISSING_TERM", timedelta(0))  # the next page comes long after
    later = NOW + timedelta(days=200)
    entries = [AuditEntry("orange-ro", "+40740000101", "bill.read", later)]
    await database.write(lambda c: AuditWriter(SECRET).append_entries(c, entries))
    await chain.chain_entries()
    for now, left in ((NOW + RETENTION + timedelta(days=1), 1), (later + RETENTION + timedelta(days=1), 1)):
        await apply_retention(database, now)
        verdict = await chain.verify_chain(now)
        assert (verdict.chained_count, verdict.unchained_count, verdict.faults) == (left, 0, ())


async def test_one_line_is_proven_without_the_others(database: Database) -> None:
    chain = await write_old_and_new_lines(database)
    ids = await database.read(lambda c: c.execute(select(audit.c.id).order_by(audit.c.id)).scalars().all())
    proof = await chain.prove_line(ids[7])
    assert proof is not None
    shown = json.loads(json.dumps(proof.to_json()))
    path = [(side, bytes.fromhex(other)) for side, other in shown["path"]]
    assert follow_path(bytes.fromhex(shown["entry"]["mac"]), path).hex() == shown["page"]["root"]
    assert (shown["line"], shown["entry"]["action"]) == (8, "invoice.2")
    assert await chain.prove_line(ids[2]) is None  # chained by itself


async def test_an_altered_line_has_no_proof(database: Database) -> None:
    chain = await write_chain(database)
    (line_id,) = await database.read(lambda c: c.execute(select(audit.c.id).limit(1)).scalars().all())
    await database.write(lambda c: c.execute(text("UPDATE audit SET outcome = 'none'")).close())
    assert await chain.prove_line(line_id) is None
