"""Slow requests (T25): good requests are answered as fast beside many sockets that send a body byte by byte.

Run: python -m tests.security.slow_sockets [--sockets 2000]
"""

import argparse
import asyncio
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass

from aiohttp import ClientSession

from tests.support.faults.aggregator_phone import (
    WEBHOOK_PATH,
    AggregatorPhone,
    open_http_session,
    wait_until_listening,
)
from tests.support.faults.gateway_processes import run_launcher
from tests.support.faults.harness import FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, run_server

REQUEST_COUNT = 300
HEAD = (
    f"POST {WEBHOOK_PATH}/ussd HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: 99\r\n\r\n"
)
ROOM_SECONDS = 0.05
"""Added to twice the base: both are a few milliseconds, which a shared machine's scheduler alone exceeds."""


@dataclass(frozen=True)
class SlowVerdict:
    """The 99th percentile of good requests, without and beside slow sockets, in seconds."""

    socket_count: int
    base: float
    beside: float

    @property
    def is_unhurt(self) -> bool:
        return self.beside < 2 * self.base + ROOM_SECONDS

    def __str__(self) -> str:
        milliseconds = f"p99 {1000 * self.base:.1f} ms alone, {1000 * self.beside:.1f} ms beside them"
        return f"sockets {self.socket_count}  {milliseconds}"


async def time_requests(client: ClientSession, port: int, name: str, request_count: int) -> float:
    """Dial one session after another; return the 99th percentile of the answers' times, in seconds."""
    seconds = []
    for number in range(request_count):
        phone = AggregatorPhone(client, session_id=f"ATUid_{name}{number}")
        began = time.perf_counter()
        assert (await phone.post_step(_Port(port), "")).startswith("CON ")
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[int(0.99 * len(seconds))]


@dataclass(frozen=True)
class _Port:
    port: int


async def trickle(port: int) -> None:
    """Send a head and then a byte of its body a second, on a new connection whenever one is closed."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        with closing(writer), suppress(OSError):
            writer.write(HEAD.encode())
            while not writer.is_closing():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(1)


async def measure(harness: FaultHarness, socket_count: int, request_count: int = REQUEST_COUNT) -> SlowVerdict:
    """Measure a gateway of its own without slow sockets, then beside that many."""
    await harness.seed_demo_data()
    web = harness.start_process(role="web")
    await wait_until_listening(web)
    async with open_http_session() as client:
        await time_requests(client, web.port, "warm", request_count // 3)
        base = await time_requests(client, web.port, "base", request_count)
        slow = [asyncio.create_task(trickle(web.port)) for _ in range(socket_count)]
        await asyncio.sleep(2)  # until all are connected
        beside = await time_requests(client, web.port, "beside", request_count)
        for each in slow:
            each.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    return SlowVerdict(socket_count, base, beside)


async def run_measurement(database_url: str, socket_count: int) -> SlowVerdict:
    """Measure on an empty database, with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_harness(launcher, database_url) as harness:
            return await measure(harness, socket_count)


def main() -> int:
    """Print both percentiles; return 1 if the slow sockets cost the good requests too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.slow_sockets")
    parser.add_argument("--sockets", type=int, default=2000)
    arguments = parser.parse_args()
    with run_server(PostgresServer) as server:
        verdict = asyncio.run(run_measurement(server.create_database("slow"), arguments.sockets))
    print(verdict)
    return int(not verdict.is_unhurt)


if __name__ == "__main__":
    sys.exit(main())
