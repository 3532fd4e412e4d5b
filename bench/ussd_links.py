"""USSD benchmark: the CPU of a step over SMPP and over HTTP in one run, and many open dialogues on one bind.

Run: python -m bench.ussd_links [--journeys 300] [--rounds 3] [--open 10000]

The gateway runs in a thread of its own, whose CPU is counted; the SMSC and the phones run in another.
"""

import argparse
import asyncio
import itertools
import logging
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import run_journeys, ussd_journey
from bench.measure import MENU_STEPS
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.protocol import Tag
from tests.support.databases import migrate_database
from tests.support.gateway_sandbox import HOOK_TOKEN, SandboxFactory
from tests.support.smpp_phone import hold_links, smpp_settings
from tests.support.smsc_server import SmscServer, pack_number, serve_smsc

CALLERS, PHONES = 50, 32
HTTP_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd"
OPEN, REPLY = 1, 18
"""Operations of the dialect `plain`."""
WARM_UP_JOURNEYS = 40
GRACE_SECONDS = 120.0


@dataclass(slots=True)
class GatewayThread:
    """A gateway with an SMPP link in a thread of its own."""

    smsc_port: int
    folder: Path
    http_port: int = 0
    ready: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None
    stop: asyncio.Event | None = None

    def run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        empty = self.folder / "migrated.db"
        await asyncio.to_thread(migrate_database, f"sqlite:///{empty}")
        link: dict[str, Any] = smpp_settings(self.smsc_port, window=500)
        more = {"operators": {"orange-ro": {"smpp": link}}, "turns_per_minute": 1_000_000}
        async with (
            SandboxFactory(self.folder, empty).open(more=more) as sandbox,
            hold_links(sandbox),
            serve_app(public_app(sandbox.container), "127.0.0.1", 0) as self.http_port,
        ):
            self.ready.set()
            await self.stop.wait()

    async def cpu_seconds(self) -> float:
        """Return the CPU this thread has used."""
        assert self.loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(read_thread_time(), self.loop))

    def end(self) -> None:
        assert self.loop is not None and self.stop is not None
        self.loop.call_soon_threadsafe(self.stop.set)


async def read_thread_time() -> float:
    return time.thread_time()


@dataclass(slots=True)
class PhonesBehindSmsc:
    """Phones of many callers, each with one dialogue at a time; their screens are told apart by number."""

    smsc: SmscServer
    screens: dict[str, "asyncio.Queue[ShortMessage]"] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )
    sessions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def route_screens(self) -> None:
        while True:
            screen = await self.smsc.submits.get()
            self.smsc.taken.clear()
            self.screens[screen.destination.number].put_nowait(screen)

    async def exchange(self, number: str, session: int, operation: int, text: str) -> bytes:
        """Send a code or a key and return the octets of the screen that comes."""
        tlvs = {Tag.USSD_SERVICE_OP: bytes([operation]), Tag.ITS_SESSION_INFO: pack_number(session % 0xFFFF)}
        source, code = SmppAddress(number, 1, 1), SmppAddress("*100#", 0, 1)
        message = ShortMessage(source, code, text.encode(), 0, service_type="USSD", tlvs=tlvs)
        connection = await self.smsc.bound()
        assert await connection.deliver(message) == 0
        return (await self.screens[number].get()).octets

    async def walk(self, number: str, session: int) -> None:
        """Walk the menus once; every screen must hold its words."""
        for place, (key, words) in enumerate(MENU_STEPS):
            shown = await self.exchange(number, session, REPLY if place else OPEN, key if place else "*100#")
            assert words.encode() in shown, shown

    async def walk_many(self, journeys: int) -> None:
        numbers = iter(range(journeys))

        async def walk_some(phone: int) -> None:
            for _ in numbers:
                await self.walk(f"4074{phone:07}", next(self.sessions))

        await asyncio.gather(*(walk_some(phone) for phone in range(PHONES)))


async def measure_cpu(gateway: GatewayThread, work: Callable[[], Any], steps: int) -> float:
    """Return the gateway's microseconds of CPU a step."""
    began = await gateway.cpu_seconds()
    await work()
    return (await gateway.cpu_seconds() - began) / steps * 1e6


async def measure_steps(gateway: GatewayThread, phones: PhonesBehindSmsc, journeys: int, rounds: int) -> None:
    """Measure both ways, interleaved, and print medians and their ratio."""
    journey, numbers = ussd_journey(HTTP_PATH, MENU_STEPS, CALLERS), itertools.count()

    async def walk_http(count: int = journeys) -> None:
        some = itertools.islice(numbers, count)
        tally = await run_journeys(gateway.http_port, journey, some, PHONES)
        assert not tally.error_count + tally.wrong_count, tally.first_wrong

    await walk_http(min(journeys, WARM_UP_JOURNEYS))
    await phones.walk_many(min(journeys, WARM_UP_JOURNEYS))
    steps, http, smpp = journeys * len(MENU_STEPS), [], []
    for _ in range(rounds):
        http.append(await measure_cpu(gateway, walk_http, steps))
        smpp.append(await measure_cpu(gateway, lambda: phones.walk_many(journeys), steps))
    ratio = median(ours / other for ours, other in zip(smpp, http, strict=True))
    sys.stdout.write(f"step over HTTP {median(http):>7.0f} us CPU\n")
    sys.stdout.write(f"step over SMPP {median(smpp):>7.0f} us CPU   x {ratio:.2f} of HTTP\n")


async def open_dialogues(phones: PhonesBehindSmsc, count: int) -> None:
    """Open that many dialogues on the bind, then press one key in each."""
    places = asyncio.Semaphore(PHONES)

    async def step(number: int, operation: int, text: str, words: bytes) -> None:
        async with places:
            shown = await phones.exchange(f"4075{number:07}", number, operation, text)
            assert words in shown, shown

    began = time.perf_counter()
    await asyncio.gather(*(step(number, OPEN, "*100#", b"Bine ati venit") for number in range(count)))
    opened = time.perf_counter()
    await asyncio.gather(*(step(number, REPLY, "1", b"1 Factura") for number in range(count)))
    pressed = time.perf_counter()
    rates = count / (opened - began), count / (pressed - opened)
    sys.stdout.write(f"{count:,} dialogues open on one bind: {rates[0]:,.0f} begun a second, then ")
    sys.stdout.write(f"{rates[1]:,.0f} keys a second, each to its own screen\n")


async def run_bench(journeys: int, rounds: int, open_count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serve_smsc() as smsc:
            gateway = GatewayThread(smsc.port, Path(folder))
            thread = threading.Thread(target=gateway.run)
            thread.start()
            await asyncio.to_thread(gateway.ready.wait, GRACE_SECONDS)
            await smsc.bound()
            phones = PhonesBehindSmsc(smsc)
            routing = asyncio.create_task(phones.route_screens())
            try:
                await measure_steps(gateway, phones, journeys, rounds)
                await open_dialogues(phones, open_count)
            finally:
                routing.cancel()
                gateway.end()
                await asyncio.to_thread(thread.join, GRACE_SECONDS)


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.ussd_links")
    parser.add_argument("--journeys", type=int, default=300, help="walks of six steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--open", type=int, default=10_000, help="dialogues open at once")
    args = parser.parse_args()
    logging.disable()
    asyncio.run(run_bench(args.journeys, args.rounds, args.open))


if __name__ == "__main__":
    main()
