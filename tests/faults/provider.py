"""Recording Twilio: counts every message by our key, independently of all the gateway stores."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tests.fakes.twilio import FakeTwilio


@dataclass
class RecordingTwilio(FakeTwilio):
    """What a subscriber would have received, per key; with `deduplicates`, each key once."""

    capable: bool = True
    received: Counter[str] = field(default_factory=Counter)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    wait_seconds: float = 0.0
    """Seconds before it accepts a message and responds."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def think(self) -> None:
        self.begun.set()
        await asyncio.sleep(self.wait_seconds)

    async def busy(self) -> None:
        """Wait until a message is being sent."""
        await asyncio.wait_for(self.begun.wait(), 10)

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        key = parse_qs(urlsplit(form["StatusCallback"]).query)["id"][0]
        if not (self.capable and self.received[key]):
            self.received[key] += 1
        self.arrived.set()
        return super().accept_request(form)

    async def hears(self, key: str, seconds: float = 20.0) -> None:
        """Wait until a message with this key has arrived."""
        async with asyncio.timeout(seconds):
            while not self.received[key]:
                self.arrived.clear()
                await self.arrived.wait()
