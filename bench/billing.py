"""Billing benchmarks: adapter overhead over a bare GET, summary behind a 50 ms BSS, the bill run."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import ClientSession, web
from sqlalchemy import Connection, insert, text

from bench.bulk_figures import BulkFigures, measure_bulk_run
from bench.streamed_cycle import StreamedCycle
from flows.domain.ports import BillingCycles
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Secret
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.bill_run import BillRun, BillRunProgress
from gateway.demo import startup
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.tmf_resources import billing_account, customer_bill, line_product
from gateway.dialogs.direct_line import DirectLine
from gateway.http.listening import serve_app
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.server.garbage_collection import tune_garbage_collector
from gateway.settings import load_settings
from gateway.wiring.container import build_container
from storage.billing.backend import BackendContext, RemoteBilling, connect_backend
from storage.billing.sql import SqlBilling
from storage.demo.world import build_operator_rows
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from storage.sql.migrate import upgrade_database
from storage.sql.tables import billing_bills, billing_subscribers
from tests.support.server_processes import PostgresServer, run_server

OPERATOR, ZONE = "orange-ro", ZoneInfo("Europe/Bucharest")
CALLER_COUNT, BSS_DELAY_SECONDS, ROUND_COUNT = 200, 0.05, 7
BILL_COUNT = 100_000
LEAST_PER_SECOND = 15_000
"""Notices a second asked of one process on a machine of its own."""
TRUST = {"ussd": "line"}
CYCLE_DATE = datetime.now(UTC).date().replace(day=1)


async def run_bss(late: float) -> None:
    """Serve a BSS of one subscriber with prebuilt answers, each sent after `late` seconds."""
    book = BssRecords(build_operator_rows(OPERATOR, datetime.now(UTC)))
    person = book.rows.people[0]
    answers = {
        "customerBill": [customer_bill(book, row, "v4", {}) for row in book.bills_of(person["account"])],
        "billingAccount": billing_account(book, person),
        "product": [line_product(book, person)],
    }
    ready = {name: web.json_response(value).body for name, value in answers.items()}

    async def answer(request: web.Request) -> web.Response:
        if late:
            await asyncio.sleep(late)
        name = next(part for part in reversed(request.path.split("/")) if part in ready)
        return web.Response(body=ready[name], content_type="application/json")

    served = web.Application()
    served.router.add_get("/{tail:.+}", answer)
    async with serve_app(served, "127.0.0.1", 0) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


@contextmanager
def start_bss(late: float) -> Iterator[str]:
    """Run the BSS in a process of its own and yield its URL."""
    child = Popen([sys.executable, "-m", "bench.billing", "bss", str(late)], stdout=PIPE)
    try:
        assert child.stdout
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.kill()
        child.communicate()


def bench_site(options: dict[str, Any]) -> BackendContext:
    return BackendContext(OPERATOR, opened("sqlite://"), lambda: datetime.now(ZONE).date(), ZONE, options)


async def measure_overhead() -> None:
    """Compare time and CPU time of a call with reading the same bytes over a bare session."""
    with start_bss(0.0) as url:
        billing = connect_backend(f"tmf678+{url}", bench_site({"cache_seconds": 1e-9}))
        assert isinstance(billing, RemoteBilling)
        path = f"{url}/tmf-api/customerBillManagement/v4/customerBill"
        async with ClientSession() as session:

            async def bare() -> None:
                async with session.get(path) as response:
                    await response.json()

            async def ours() -> None:
                await billing.list_bills("40740000101", 12)

            rounds = [(await _time_calls(bare), await _time_calls(ours)) for _ in range(ROUND_COUNT)]
        await billing.close()
    for name, index in (("time", 0), ("processor", 1)):
        ratios = [ours[index] / bare[index] for bare, ours in rounds]
        plain, adapted = (median(each[index] for each in column) for column in zip(*rounds, strict=True))
        print(
            f"{name}: bare aiohttp GET {plain:.0f} us, adapter {adapted:.0f} us:"
            f" {median(ratios):.2f} times (bar 2),"
            f" {min(ratios):.2f} to {max(ratios):.2f} in {ROUND_COUNT} rounds"
        )


async def _time_calls(call: Callable[[], Awaitable[None]], count: int = 400) -> tuple[float, float]:
    """Return microseconds a call, sequentially: wall clock and our CPU time."""
    await call()
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(count):
        await call()
    return (time.perf_counter() - began) / count * 1e6, (time.process_time() - busy) / count * 1e6


async def measure_summary() -> None:
    """Time 200 concurrent callers asking for their latest bill, while others page without billing."""
    with start_bss(BSS_DELAY_SECONDS) as url, tempfile.TemporaryDirectory() as folder:
        told = startup.default_settings({}) | {
            "database_url": f"sqlite:///{folder}/b.db",
            "turns_per_minute": 100_000,
        }
        told["operators"] = {OPERATOR: told["operators"][OPERATOR] | {"billing": f"tmf678+{url}"}}
        async with build_container(load_settings(discover_providers(), Path("none"), {}, told)) as built:
            menu = built.menu_versions.current_menu(OPERATOR)
            lines = [DirectLine(built.conversations, menu, TRUST) for _ in range(CALLER_COUNT)]
            for number, line in enumerate(lines):
                line.session_numbers = iter(range(number * 100, number * 100 + 100))
            alone = await _time_turns(lines[0], 50)
            together, seen = await asyncio.gather(
                asyncio.gather(*(_time_latest_bill(line, number) for number, line in enumerate(lines))),
                _time_turns(
                    DirectLine(built.conversations, menu, TRUST, session_numbers=iter(range(10**6, 2 * 10**6))),
                    50,
                ),
            )
    ordered = sorted(took for took, _ in together)
    good = sum(text.startswith("Factura") for _, text in together)
    print(
        f"summary behind {BSS_DELAY_SECONDS * 1e3:.0f} ms, {CALLER_COUNT} callers at once: {good} shown,"
        f" median {median(ordered) * 1e3:.0f} ms, slowest {ordered[-1] * 1e3:.0f} ms;"
        f" other turns {alone * 1e3:.1f} ms alone, {seen * 1e3:.1f} ms beside them (median)"
    )


async def _time_latest_bill(line: DirectLine, number: int) -> tuple[float, str]:
    """Return the seconds from dialling to the bill, and its first line."""
    began = time.perf_counter()
    await line.dial(f"+4074{number:07}", "*100#")
    for key in ("1", "1"):
        await line.press(key)
    shown = await line.press("1")
    return time.perf_counter() - began, shown.lines[0]


async def _time_turns(line: DirectLine, count: int) -> float:
    """Return the median seconds of a turn that needs no billing."""
    await line.dial("+40749999999", "*100#")
    times = []
    for index in range(count):
        began = time.perf_counter()
        await line.press("1" if index % 2 == 0 else "0")
        times.append(time.perf_counter() - began)
        await asyncio.sleep(0.002)
    return median(times)


async def measure_bill_run(
    database: Database, server: int, cycles: BillingCycles
) -> AsyncIterator[BulkFigures]:
    """Yield the figures of a bill run into a migrated database, and of the same run again."""
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    announcer = BillAnnouncer(menu, Pseudonyms(b"a key for the bench, nowhere else"))
    outbox_writer = SqlBulkOutbox(database, Secret("a key for the bench, nowhere else"))

    async def announce_bills() -> int:
        run = BillRun(OPERATOR, cycles, announcer, outbox_writer, lambda: datetime.now(UTC))
        done = await run.announce_bills(CYCLE_DATE, CYCLE_DATE, _ignore_progress)
        return done.enqueued_count + done.known_count

    for _ in range(2):
        yield await measure_bulk_run(announce_bills, database, server)


async def print_bill_run(name: str, url: str, server: int, count: int) -> None:
    """Print the figures of both runs on PostgreSQL: `cycle` from our tables, `stream` from no tables."""
    database = opened(url)
    tune_garbage_collector()
    try:
        cycles = await (store_cycle if name == "cycle" else _stream_cycle)(database, count)
        async for figures in measure_bill_run(database, server, cycles):
            print(f"{name}: {figures} (at least {LEAST_PER_SECOND} a second)", flush=True)
            figures.require_complete()
    finally:
        await database.close()


async def store_cycle(database: Database, count: int) -> BillingCycles:
    """Fill our own tables with so many bills, and return them as billing."""
    await fill_tables(database, count)
    return SqlBilling(database, OPERATOR, lambda: datetime.now(ZONE).date())


async def _stream_cycle(database: Database, count: int) -> BillingCycles:
    await upgrade_database(database)
    return StreamedCycle(count, OPERATOR, CYCLE_DATE)


def _ignore_progress(progress: BillRunProgress) -> None:
    """Ignore a progress report."""


async def fill_tables(database: Database, count: int) -> None:
    """Migrate a database and fill it with so many subscribers, each with a bill of this month."""
    await upgrade_database(database)

    def job(connection: Connection) -> None:
        for start in range(0, count, 5_000):
            numbers = range(start, min(start + 5_000, count))
            connection.execute(insert(billing_subscribers), [_subscriber_row(number) for number in numbers])
            connection.execute(insert(billing_bills), [_bill_row(number) for number in numbers])
        connection.execute(text("ANALYZE"))

    await database.write(job, seconds=300)


def _subscriber_row(number: int) -> dict[str, object]:
    return {
        "operator": OPERATOR,
        "id": f"s{number:07}",
        "msisdn": f"+4074{number:07}",
        "account": f"a{number:07}",
        "name": "Bench",
        "kind": "mobile",
        "segment": "residential",
        "language": "ro",
        "since": date(2020, 1, 1),
        "media": "paper",
    }


def _bill_row(number: int) -> dict[str, object]:
    total = Decimal(2000 + number * 7919 % 30_000) / 100
    return {
        "operator": OPERATOR,
        "id": f"b{number:07}",
        "number": f"b{number:07}",
        "account": f"a{number:07}",
        "issued": CYCLE_DATE,
        "due": CYCLE_DATE,
        "total": total,
        "tax": Decimal("1.00"),
        "remaining": total,
    }


def main() -> None:
    """Run the benchmarks named on the command line, by default all."""
    parser = argparse.ArgumentParser(prog="python -m bench.billing")
    parser.add_argument("what", nargs="*", default=["overhead", "summary", "cycle"])
    parser.add_argument("--count", type=int, default=BILL_COUNT, help="bills of the cycle")
    args = parser.parse_args()
    if args.what[0] == "bss":
        with suppress(KeyboardInterrupt):
            asyncio.run(run_bss(float(args.what[1])))
        return
    for name in args.what:
        if name not in ("cycle", "stream"):
            asyncio.run({"overhead": measure_overhead, "summary": measure_summary}[name]())
            continue
        with run_server(PostgresServer) as server:
            assert server.child
            asyncio.run(print_bill_run(name, server.create_database("bench"), server.child.pid, args.count))


if __name__ == "__main__":
    main()
