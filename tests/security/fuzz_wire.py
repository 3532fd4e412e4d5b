"""Fuzz every public route with raw, chunked, compressed, signed and forged requests, and count what goes wrong.

Run: python -m tests.security.fuzz_wire [--count 100000] [--seed 1] [--processes 2]

Every process is a gateway and a client of it beside; stalls are those of the gateway's event loop.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, redirect_stderr
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.http.listening import serve_app
from gateway.observability.logging import configure_logging
from gateway.server.app import public_app
from tests.security.fuzz_client import SECONDS_PER_REQUEST, FuzzOrder
from tests.security.fuzz_targets import SIGNING, fuzz_settings, list_targets
from tests.security.loop_stalls import StallReport, measured_callbacks, tuned_collector
from tests.support.databases import migrate_database
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

PROGRESS_EVERY = 100_000
LONGEST_STALL_SECONDS = 0.05
request_writes: ContextVar[Counter[str] | None] = ContextVar("request_writes", default=None)
ReportSent = Callable[[int], None]
"""Takes the number of requests answered so far."""


@dataclass
class FuzzReport:
    """What a run saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    """Requests by route that were answered with something else than 404."""
    unanswered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Requests that were answered 5xx."""
    written_by_refusals: int = 0
    stalls: list[StallReport] = field(default_factory=list)
    """The longest callbacks of the gateway's event loop, the longest first."""

    @property
    def longest_stall_seconds(self) -> float:
        return max((each.seconds for each in self.stalls), default=0.0)

    @property
    def is_clean(self) -> bool:
        has_failed = self.failed or self.unanswered or self.written_by_refusals
        return not has_failed and self.longest_stall_seconds < LONGEST_STALL_SECONDS

    def add(self, other: "FuzzReport") -> None:
        """Add what another process saw."""
        self.statuses += other.statuses
        self.routes += other.routes
        self.unanswered += other.unanswered
        self.failed += other.failed
        self.written_by_refusals += other.written_by_refusals
        self.stalls = sorted((*self.stalls, *other.stalls), key=lambda each: each.seconds, reverse=True)

    def __str__(self) -> str:
        told = "  ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{told}\n{len(self.routes)} routes  5xx {len(self.failed)}  unanswered {len(self.unanswered)}  "
            f"written by a refusal {self.written_by_refusals}\nlongest stalls\n"
            + "\n".join(f"  {each}" for each in self.stalls[:8])
        )


def watch_writes(app: web.Application, sandbox: GatewaySandbox, report: FuzzReport) -> None:
    """Count the writes to the database that requests make which are answered with a refusal."""
    database: Any = sandbox.container.database
    write = database.write

    async def counted_write(*arguments: Any, **options: Any) -> Any:
        writes = request_writes.get()
        if writes is not None:
            writes["writes"] += 1
        return await write(*arguments, **options)

    database.write = counted_write

    @web.middleware
    async def count_refusal(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        writes: Counter[str] = Counter()
        request_writes.set(writes)
        response = await handler(request)
        if 400 <= response.status < 500 and response.status != 429:
            report.written_by_refusals += writes["writes"]
        return response

    app.middlewares.append(count_refusal)


async def run_fuzz(
    sandbox: GatewaySandbox, count: int, seed: int, on_sent: ReportSent = lambda sent: None
) -> FuzzReport:
    """Send `count` requests from a process beside this one and return what was seen."""
    report, app = FuzzReport(), public_app(sandbox.container)
    watch_writes(app, sandbox, report)
    started = sandbox.clock()

    def advance_clock(sent: int) -> None:
        sandbox.clock.instant = started + timedelta(seconds=sent * SECONDS_PER_REQUEST)
        on_sent(sent)

    async with serve_app(app, "127.0.0.1", 0) as port:
        targets = [asdict(each) for each in list_targets(sandbox.container)]
        order = FuzzOrder(port, count, seed, started.timestamp(), targets, dict(SIGNING))
        async with _start_client(order) as lines:
            with tuned_collector(), measured_callbacks() as meter:
                counts: dict[str, Any] = {}
                async for line in lines:
                    counts = json.loads(line)
                    advance_clock(counts["sent"])
    report.stalls = meter.longest
    report.statuses.update({int(status): number for status, number in counts["statuses"].items()})
    report.routes.update(counts["routes"])
    report.unanswered, report.failed = counts["unanswered"], counts["failed"]
    return report


@asynccontextmanager
async def _start_client(order: FuzzOrder) -> AsyncIterator[asyncio.StreamReader]:
    """Start the client process and give it its order; yield its lines, of which the last has its counts."""
    program = (sys.executable, "-m", "tests.security.fuzz_client")
    client = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, limit=1 << 24)
    if client.stdin is None or client.stdout is None:
        raise RuntimeError("the client has no pipes")
    try:
        client.stdin.write(json.dumps(asdict(order)).encode())
        client.stdin.close()
        yield client.stdout
        if await client.wait():
            raise RuntimeError("the client failed")
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


@asynccontextmanager
async def open_sandbox(folder: Path) -> AsyncIterator[GatewaySandbox]:
    """Open a sandbox outside pytest, in a folder that is deleted afterwards."""
    empty = folder / "migrated.db"
    await asyncio.to_thread(migrate_database, f"sqlite:///{empty}")
    async with SandboxFactory(folder, empty).open(more=fuzz_settings()) as sandbox:
        yield sandbox


def run_process(count: int, seed: int) -> FuzzReport:
    """Run one gateway with its client; print a line every `PROGRESS_EVERY` requests."""
    began, said = time.monotonic(), Counter[str]()

    def tell(sent: int) -> None:
        if sent // PROGRESS_EVERY > said["lines"]:
            said["lines"] += 1
            rate = sent / (time.monotonic() - began)
            print(f"seed {seed}: {sent:,} of {count:,} requests, {rate:,.0f}/s", flush=True)

    async def run(folder: Path) -> FuzzReport:
        async with open_sandbox(folder) as sandbox:
            return await run_fuzz(sandbox, count, seed, tell)

    with Path(os.devnull).open("w") as nowhere, tempfile.TemporaryDirectory() as folder:
        with redirect_stderr(nowhere):
            configure_logging()  # lines are written as in production, and thrown away
        return asyncio.run(run(Path(folder)))


def main() -> int:
    """Print the counts of a run; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz_wire")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    count, report = arguments.count // arguments.processes, FuzzReport()
    seeds = [arguments.seed + number for number in range(arguments.processes)]
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        for each in pool.map(run_process, [count] * len(seeds), seeds):
            report.add(each)
    print(f"{count * len(seeds)} requests, seed {arguments.seed}\n{report}")
    for name, requests in (("unanswered", report.unanswered), ("5xx", report.failed)):
        for request in requests[:5]:
            print(f"{name}: {request}")
    return int(not report.is_clean)


if __name__ == "__main__":
    sys.exit(main())
