"""Stop PostgreSQL, Redis, billing and the provider in turn (SIGSTOP); every USSD request is answered in time.

Run: python -m tests.faults.hung_parts [--requests 1000]
"""

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.support.faults.aggregator_phone import AggregatorPhone, open_http_session, wait_until_listening
from tests.support.faults.gateway_processes import GatewayProcess, gateway_settings, run_launcher
from tests.support.faults.harness import ANA, FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, RedisServer, ServerProcess, run_server

PARTS = ("postgres", "redis", "billing", "provider")
STEPS = ("", "1", "1*1", "1*1*1")
"""The way to the latest bill, which reads billing."""
CONCURRENT_SESSIONS = 10
LIMIT_SECONDS = 3.0


class IdlePeer(ServerProcess):
    """An HTTP server that knows nothing, in the place of a billing system or a provider."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command_line(self) -> list[str]:
        return [sys.executable, "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]

    def is_ready(self, pid: int) -> bool:
        """Return whether something answers there: the port is free before and nobody else knows it."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@dataclass
class AnswerTimes:
    """How long the requests took while one part was stopped."""

    part: str
    seconds: list[float] = field(default_factory=list)
    unanswered_count: int = 0

    @property
    def is_in_time(self) -> bool:
        return not self.unanswered_count and max(self.seconds) < LIMIT_SECONDS

    def __str__(self) -> str:
        slowest = max(self.seconds, default=0.0)
        answered, unanswered = len(self.seconds), self.unanswered_count
        return f"{self.part}: answered {answered}  unanswered {unanswered}  slowest {slowest:.2f} s"


@contextmanager
def paused(server: ServerProcess) -> Iterator[None]:
    """Stop a process while the block runs."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


async def dial_sessions(web: GatewayProcess, times: AnswerTimes, request_count: int) -> None:
    """Walk to the latest bill in one session after the other, in several at once, and time each request."""

    async def walk(number: int) -> None:
        async with open_http_session() as client:
            for begun in range(number, request_count // len(STEPS), CONCURRENT_SESSIONS):
                caller = f"+4074{begun:07}" if times.part == "billing" else ANA  # an answer must not be cached
                phone = AggregatorPhone(client, caller, f"{times.part}{begun}")
                for step in STEPS:
                    await time_step(phone, web, step, times)

    await asyncio.gather(*(walk(number) for number in range(CONCURRENT_SESSIONS)))


async def time_step(phone: AggregatorPhone, web: GatewayProcess, step: str, times: AnswerTimes) -> None:
    began = time.monotonic()
    try:
        screen = await phone.post_step(web, step)
    except (OSError, TimeoutError, AssertionError):
        times.unanswered_count += 1
        return
    if screen.startswith(("CON ", "END ")):
        times.seconds.append(time.monotonic() - began)
    else:
        times.unanswered_count += 1


async def measure_part(
    harness: FaultHarness, part: str, request_count: int, server: PostgresServer
) -> AnswerTimes:
    """Start a gateway whose parts are processes, warm it up, stop one of them and dial."""
    times = AnswerTimes(part)
    with ExitStack() as stack:
        redis = stack.enter_context(run_server(RedisServer))
        billing, provider = (stack.enter_context(run_server(IdlePeer)) for _ in range(2))
        told = gateway_settings(harness.database_url, provider.url, redis.url)
        if part == "billing":
            told["operators"]["orange-ro"]["billing"] = f"tmf678+{billing.url}"
        web = harness.launcher.start_gateway("both", told, "")
        harness.processes.append(web)
        await wait_until_listening(web)
        await dial_sessions(web, AnswerTimes("warm"), len(STEPS))
        stopped = {"postgres": server, "redis": redis, "billing": billing, "provider": provider}[part]
        with paused(stopped):
            await dial_sessions(web, times, request_count)
        web.kill()
        harness.processes.remove(web)
    return times


async def measure_parts(server: PostgresServer, request_count: int, *parts: str) -> list[AnswerTimes]:
    """Stop the named parts in turn; return the times with each of them."""
    with run_launcher() as launcher:
        async with open_harness(launcher, server.create_database(f"hung_{parts[0]}")) as harness:
            await harness.seed_demo_data()
            return [await measure_part(harness, part, request_count, server) for part in parts]


def main() -> int:
    """Print the slowest answer with each part stopped; return 1 if one took 3 s or more, or did not come."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hung_parts")
    parser.add_argument("--requests", type=int, default=1000)
    arguments = parser.parse_args()
    with run_server(PostgresServer) as server:
        found = asyncio.run(measure_parts(server, arguments.requests, *PARTS))
    for times in found:
        print(times)
    return int(not all(times.is_in_time for times in found))


if __name__ == "__main__":
    sys.exit(main())
