"""Recording Twilio: counts every message by our key, independently of all the gateway stores."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tests.support.fakes.twilio_api import FakeTwilio


@dataclass
class RecordingTwilio(FakeTwilio):
    """What a subscriber would have received, per key; with `deduplicates`, each key once."""

    deduplicates: bool = True
    received_counts: Counter[str] = field(default_factory=Counter)
    accepted_ids: list[str] = field(default_factory=list)
    """The message ids it gave, in their order."""
    message_arrived: asyncio.Event = field(default_factory=asyncio.Event)
    delay_seconds: float = 0.0
    """Seconds before it accepts a message and responds."""
    request_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_before_answer(self) -> None:
        self.request_begun.set()
        await asyncio.sleep(self.delay_seconds)

    async def wait_for_request(self) -> None:
        """Wait until a message is being sent."""
        await asyncio.wait_for(self.request_begun.wait(), 10)

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        key = parse_qs(urlsplit(form["StatusCallback"]).query)["id"][0]
        if not (self.deduplicates and self.received_counts[key]):
            self.received_counts[key] += 1
        self.message_arrived.set()
        answer = super().accept_request(form)
        self.accepted_ids.append(f"SM{self.message_count:032x}")
        return answer

    async def wait_for_message(self, key: str, seconds: float = 20.0) -> None:
        """Wait until a message with this key has arrived."""
        async with asyncio.timeout(seconds):
            while not self.received_counts[key]:
                self.message_arrived.clear()
                await self.message_arrived.wait()
