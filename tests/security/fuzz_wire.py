"""Fuzz the HTTP listener with raw, chunked, compressed, signed and forged requests, and count what goes wrong.

Run: python -m tests.security.fuzz_wire [--count 100000] [--seed 1]   (2,000,000 takes about an hour)
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from asyncio.events import Handle
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.cli.progress import ReportProgress, show_progress
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.security.fuzz_requests import RequestFactory
from tests.support.databases import migrate_database
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

CLIENT_COUNT = 8
ANSWER_SECONDS = 15.0
request_writes: ContextVar[Counter[str] | None] = ContextVar("request_writes", default=None)


@dataclass
class FuzzReport:
    """What a run saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: list[bytes] = field(default_factory=list)
    written_by_refusals: int = 0
    longest_stall_seconds: float = 0.0
    """Longest processor time of one callback of the event loop: meanwhile nobody else was served."""

    @property
    def server_errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def __str__(self) -> str:
        told = "  ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{told}\n5xx {self.server_errors}  unanswered {len(self.unanswered)}  "
            f"written by a refusal {self.written_by_refusals}  "
            f"longest stall {self.longest_stall_seconds * 1000:.0f} ms"
        )


@dataclass
class FuzzClient:
    """Sends requests one after the other, each on a new connection when the last was closed."""

    port: int
    requests: RequestFactory
    report: FuzzReport

    async def send_all(self, count: int, on_sent: Callable[[], None]) -> None:
        for _ in range(count):
            await self._send_one(self.requests.draw())
            on_sent()

    async def _send_one(self, request: bytes) -> None:
        """Send a request and count its status, or that none came."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await self._exchange(request)
        except (OSError, EOFError, TimeoutError):
            status = 0
        if status:
            self.report.statuses[status] += 1
        else:
            self.report.unanswered.append(request)

    async def _exchange(self, request: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            status = await self._read_status(reader)
            while status == 100:
                status = await self._read_status(reader)
            return status
        finally:
            writer.transport.abort()

    async def _read_status(self, reader: asyncio.StreamReader) -> int:
        """Return the status once the head is read; the rest is not waited for."""
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])


@contextmanager
def measured_callbacks(report: FuzzReport) -> Iterator[None]:
    """Measure the processor time of every callback of the event loop, whatever else the machine does."""
    run = Handle._run

    def measure(handle: Handle) -> Any:
        began = time.thread_time()
        try:
            return run(handle)
        finally:
            report.longest_stall_seconds = max(report.longest_stall_seconds, time.thread_time() - began)

    Handle._run = measure  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Handle._run = run  # type: ignore[method-assign]


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
    sandbox: GatewaySandbox, count: int, seed: int, on_progress: ReportProgress = lambda done, total: None
) -> FuzzReport:
    """Send `count` requests from several clients at once and return what was seen."""
    report, app, sent = FuzzReport(), public_app(sandbox.container), Counter[str]()
    watch_writes(app, sandbox, report)

    def count_sent() -> None:
        sent["requests"] += 1
        on_progress(sent["requests"], count)

    async with serve_app(app, "127.0.0.1", 0) as port:
        clients = [
            FuzzClient(port, RequestFactory(random.Random(seed + n)), report) for n in range(CLIENT_COUNT)
        ]
        with measured_callbacks(report):
            await asyncio.gather(*(each.send_all(count // CLIENT_COUNT, count_sent) for each in clients))
    return report


@asynccontextmanager
async def open_sandbox(folder: Path) -> AsyncIterator[GatewaySandbox]:
    """Open a sandbox outside pytest, in a folder that is deleted afterwards."""
    empty = folder / "migrated.db"
    await asyncio.to_thread(migrate_database, f"sqlite:///{empty}")
    async with SandboxFactory(folder, empty).open() as sandbox:
        yield sandbox


async def run_program(arguments: argparse.Namespace, folder: Path) -> FuzzReport:
    """Run the fuzz with a progress bar."""
    async with open_sandbox(folder) as sandbox:
        with show_progress("fuzz", "requests") as on_progress:
            return await run_fuzz(sandbox, arguments.count, arguments.seed, on_progress)


def main() -> int:
    """Print the counts of a run; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz_wire")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run_program(arguments, Path(folder)))
    print(f"{arguments.count} requests, seed {arguments.seed}\n{report}")
    for request in report.unanswered[:5]:
        print(f"unanswered: {request[:300]!r}")
    return int(bool(report.server_errors or report.unanswered or report.written_by_refusals))


if __name__ == "__main__":
    sys.exit(main())
