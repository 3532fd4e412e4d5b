"""Billing day at full size: `dialtree notify` over a cycle with unusable bills, on PostgreSQL.

Run: python -m tests.faults.bill_day [--bills 100000] [--bad 500]
"""

import argparse
import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from gateway.cli.notify import UNUSABLE_BILLS
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

OPERATOR = "orange-ro"
COMMAND_SECONDS = 3_600.0
LEFT_OUT = "left out: bill "
"""Beginning of a line that names a bill which could not be used."""
INSERT_SUBSCRIBERS = text("""
    INSERT INTO billing_subscribers (id, operator, msisdn, account, name, kind, segment, language, since, media)
    SELECT 'S' || n, :operator, '+4074' || lpad(n::text, 7, '0'), 'A' || n, 'Subscriber', 'mobile',
        'residential', 'ro', date '2020-01-01', 'paper'
    FROM generate_series(0, :bills - 1) AS n
""")
INSERT_BILLS = text("""
    INSERT INTO billing_bills (operator, id, number, account, issued, due, total, tax, remaining)
    SELECT :operator, 'B' || n, 'B' || n, 'A' || n, :issued, CAST(:issued AS date) + 20, 79.90, 12.76,
        CASE WHEN n % :every = 0 AND n / :every < :bad THEN numeric 'NaN' ELSE 79.90 END
    FROM generate_series(0, :bills - 1) AS n
""")
COUNT_RECIPIENTS = text("""SELECT count(*), count(DISTINCT "to") FROM outbox WHERE state = 'pending'""")


@dataclass(frozen=True, slots=True)
class BillDayResult:
    """What the command did: its exit status, the bills it named, and the notices it enqueued."""

    exit_status: int
    bills_named: frozenset[str]
    notices: int
    recipients: int
    last_line: str
    seconds: float

    def is_complete(self, bills: int, bad: int) -> bool:
        """Return whether every usable bill was told once, and every other named."""
        told = self.notices == self.recipients == bills - bad
        return told and len(self.bills_named) == bad and self.exit_status == UNUSABLE_BILLS


async def run_bill_day(url: str, folder: Path, bills: int, bad: int) -> BillDayResult:
    """Fill an empty database with bills, a number of them unusable, and run the command on it."""
    database = connect(url)
    try:
        await upgrade_database(database)
        await _insert_bills(database, bills, bad)
        started_at = time.monotonic()
        process = await asyncio.to_thread(_run_command, url, folder)
        seconds = time.monotonic() - started_at
        notices, recipients = await database.read(lambda each: each.execute(COUNT_RECIPIENTS).one())
    finally:
        await database.close()
    named = [line for line in process.stderr.splitlines() if line.startswith(LEFT_OUT)]
    ids = frozenset(line.removeprefix(LEFT_OUT).partition(":")[0] for line in named)
    last_line = (process.stdout or process.stderr).strip().rpartition("\n")[2]
    return BillDayResult(process.returncode, ids, notices, recipients, last_line, seconds)


async def _insert_bills(database: Database, bills: int, bad: int) -> None:
    issued = datetime.now(UTC).date().replace(day=1)
    values = {"operator": OPERATOR, "bills": bills}

    def job(connection: Connection) -> None:
        connection.execute(INSERT_SUBSCRIBERS, values)
        connection.execute(INSERT_BILLS, {**values, "issued": issued, "bad": bad, "every": bills // bad})

    await database.write(job, seconds=COMMAND_SECONDS)


def _run_command(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `dialtree notify` as a process of its own, with settings as in production."""
    settings = folder / "dialtree.toml"
    settings.write_text(
        f'public_url = "https://gw.test"\nsecret_key = "{secrets.token_hex(32)}"\n'
        f'[operators.{OPERATOR}]\nbilling = "sql"\n'
    )
    cycle = f"{datetime.now(UTC):%Y-%m}"
    command = [sys.executable, "-m", "gateway", "notify", OPERATOR, "--cycle", cycle]
    environ = {**os.environ, "DIALTREE_CONFIG": str(settings), "DATABASE_URL": url, "NO_COLOR": "1"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=COMMAND_SECONDS)


def main() -> int:
    """Run at full size on a PostgreSQL server of its own and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bill_day")
    parser.add_argument("--bills", type=int, default=100_000)
    parser.add_argument("--bad", type=int, default=500)
    args = parser.parse_args()
    with run_server(PostgresServer) as server, tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run_bill_day(server.url, Path(folder), args.bills, args.bad))
    sys.stdout.write(
        f"{result.last_line}\n"
        f"exit status {result.exit_status}, {result.notices} notices to {result.recipients} numbers, "
        f"{len(result.bills_named)} bills listed, {result.seconds:.0f} s\n"
    )
    return 0 if result.is_complete(args.bills, args.bad) else 1


if __name__ == "__main__":
    sys.exit(main())
