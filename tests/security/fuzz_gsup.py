"""Fuzz the GSUP codec and a link with broken frames, and count what comes of each.

Run: python -m tests.security.fuzz_gsup [--count 1000000] [--seed 1]
"""

import argparse
import asyncio
import logging
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from flows.engine.inbound import Inbound
from gateway.gsup.gsup_message import GsupMessage, SessionPhase, encode_gsup
from gateway.gsup.hlr_connection import HlrConnection
from gateway.gsup.hlr_settings import GsupCounters, HlrRuntime, HlrSettings
from gateway.gsup.ipa_frames import IpaFrame
from gateway.gsup.ussd_text import MAX_OCTETS
from gateway.providers._gsup import gsup_link
from gateway.providers._gsup.gsup_link import GsupLink
from gateway.providers.contract import Connection, ReplySender, SingleEvent
from menus.model.reply import Reply
from tests.gateway.gsup.recorded_frames import FILES, read_frames

MOST_CHANGES = 6
BATCH = 200
COMPONENT_OCTETS = 17
"""What stands around the text of a component."""
REPLIES = (
    Reply("ussd", "ro", "home", 1, text="Bine ati venit la Orange!\n1 Buget"),
    Reply("ussd", "ar", "home", 1, text="ا" * 200, ends_session=True),
)


def mutate(octets: bytes, chance: random.Random) -> bytes:
    """Change some octets, cut or lengthen a frame's payload."""
    changed = bytearray(octets)
    for _ in range(chance.randrange(MOST_CHANGES)):
        kind, at = chance.randrange(4), chance.randrange(max(len(changed), 1))
        if kind == 0 and at < len(changed):
            changed[at] = chance.choice((0, 0x30, 0x35, 0x7F, 0x80, 0xA1, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del changed[at : at + chance.randrange(1, 9)]
        elif kind == 2:
            changed[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif chance.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def mutated_frames(count: int, seed: int) -> Iterator[IpaFrame]:
    """Yield changed frames, the same for the same seed."""
    chance = random.Random(seed)
    seeds = [(frame[2], frame[3:]) for name in FILES for frame in read_frames(name)]
    for _ in range(count):
        stream, payload = chance.choice(seeds)
        yield IpaFrame(stream, payload[:1] + mutate(payload[1:], chance))


class CountingWriter:
    """Stands for the stream a connection writes to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.append(data)


class CountingEvents:
    """Answers each event with a screen or a last text in turn; counts what comes."""

    def __init__(self, results: Counter[str]) -> None:
        self.results = results

    async def answer(self, event: Inbound, send: ReplySender, seconds: float | None = None) -> None:
        self.results["begins" if event.begins else "key"] += 1
        await send(REPLIES[self.results.total() % len(REPLIES)])

    async def accept(self, event: SingleEvent) -> None:
        self.results["ended"] += 1

    def apology(self) -> Reply:
        self.results["apology"] += 1
        return REPLIES[-1]

    def now(self) -> datetime:
        return datetime.now(UTC)


class CountingSession:
    """Stands for the session a link writes to; counts what it is given, which has to fit osmo-hlr."""

    def __init__(self, results: Counter[str]) -> None:
        self.results = results

    async def send(self, message: GsupMessage, _wait_seconds: float) -> bool:
        assert len(message.component) <= MAX_OCTETS + COMPONENT_OCTETS
        encode_gsup(message)
        self.results["last text" if message.phase is SessionPhase.END else "screen"] += 1
        return True


async def find_number(_imsi: str) -> str:
    return "40740000101"


def build_link(results: Counter[str]) -> GsupLink:
    """Return a link whose subscribers all have a number, and whose session counts."""
    connection = Connection("orange-ro", None, "", "", {}, {"ussd": "*100#"})
    events: Any = CountingEvents(results)
    link: Any = GsupLink(connection, events, HlrSettings("", 0, "dialtree"), 30.0)
    link._session, link._find_number = CountingSession(results), find_number
    return cast(GsupLink, link)


async def run_fuzz(count: int, seed: int) -> Counter[str]:
    """Feed `count` changed frames to a connection and a link; anything that raises ends the run."""
    results: Counter[str] = Counter()
    link, writer, counters = build_link(results), CountingWriter(), GsupCounters()
    streams: Any = (None, writer)
    settings, take = HlrSettings("", 0, "dialtree"), link._take_message
    connection = HlrConnection(streams, settings, HlrRuntime(), counters, take)
    for number, frame in enumerate(mutated_frames(count, seed)):
        connection._take_frame(frame)
        if number % BATCH == BATCH - 1:
            await link._turns.finish(60)
    await link._turns.finish(60)
    results["malformed"] = counters.malformed
    results["identity or pong"] = len(writer.written)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for logger in ("dialtree.gsup", gsup_link.log.name):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    results = asyncio.run(run_fuzz(given.count, given.seed))
    sys.stdout.write("".join(f"{what:<20}{times:>9}\n" for what, times in results.most_common()))


if __name__ == "__main__":
    main()
