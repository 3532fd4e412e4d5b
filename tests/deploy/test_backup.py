"""Backup: a dump restored into another database has every row, and its audit chain verifies."""

import asyncio
import subprocess
import uuid

from sqlalchemy import Connection, inspect, text

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.sql.engine import connect
from tests.support.databases import NOW
from tests.support.server_processes import PostgresServer, find_program

SECRET = Secret("the secret of the database that is restored")


def count_all_rows(connection: Connection) -> dict[str, int]:
    names = inspect(connection).get_table_names()
    return {
        name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in sorted(names)
    }


def run_dump(url: str) -> bytes:
    command = [find_program("pg_dump"), "--format=custom", url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def run_restore(url: str, dump: bytes) -> None:
    command = [find_program("pg_restore"), "--clean", "--if-exists", "--no-owner", f"--dbname={url}"]
    subprocess.run(command, input=dump, check=True)


async def test_a_restored_dump_has_every_row_and_a_chain_that_verifies(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    database, writer = connect(postgres_database), AuditWriter(SECRET)
    deeds = [AuditEntry("orange-ro", "+40740000101", "einvoice.on", NOW, "ussd", f"c-{n}") for n in range(40)]
    await database.write(lambda connection: writer.append_entries(connection, deeds))
    assert await SqlAuditChain(database, writer).chain_entries() == 40
    before = await database.read(count_all_rows)
    await database.close()

    dump = await asyncio.to_thread(run_dump, postgres_database)
    name = f"restored_{uuid.uuid4().hex[:8]}"
    restored = postgres_server.create_database(name)
    await asyncio.to_thread(run_restore, restored, dump)
    database = connect(restored)
    try:
        assert await database.read(count_all_rows) == before
        verdict = await SqlAuditChain(database, writer).verify_chain(NOW)
        assert (verdict.chained_count, verdict.faults) == (40, ())
    finally:
        await database.close()
        postgres_server.drop_database(name)
