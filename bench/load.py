"""Load generator: keep-alive connections that walk journeys, cheap enough that the server saturates."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

Journey = Callable[[int], list[bytes]]
FORM = "application/x-www-form-urlencoded"
HEAD = "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"


@dataclass(slots=True)
class Tally:
    """The result of one run."""

    answered: int = 0
    wrong: int = 0
    """Responses with a status other than 200."""
    latencies: list[float] = field(default_factory=list)

    def p99_ms(self) -> float:
        """Return the 99th percentile of the latency, in milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)] * 1000


def request(path: str, fields: dict[str, str]) -> bytes:
    """Return a form post as it goes over the wire."""
    body = urlencode(fields).encode()
    return HEAD.format(path=path, kind=FORM, size=len(body)).encode() + body


def ussd_journey(path: str, answers: list[str], callers: int) -> Journey:
    """Return the journey of an aggregator's USSD session: each request repeats all answers so far."""

    def journey(number: int) -> list[bytes]:
        caller = f"+4074{number % callers:07}"
        base = {
            "sessionId": f"ATUid_{number}",
            "serviceCode": "*100#",
            "phoneNumber": caller,
            "networkCode": "99999",
        }
        return [request(path, base | {"text": text}) for text in itertools.accumulate(answers, _joined)]

    return journey


def _joined(heard: str, answer: str) -> str:
    return f"{heard}*{answer}" if heard else answer


async def run(port: int, journey: Journey, numbers: Iterator[int], connections: int, seconds: float) -> Tally:
    """Load the server for the given number of seconds."""
    tally, end = Tally(), time.perf_counter() + seconds
    await asyncio.gather(*(_connection(port, journey, numbers, end, tally) for _ in range(connections)))
    return tally


async def _connection(port: int, journey: Journey, numbers: Iterator[int], end: float, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        for data in journey(next(numbers)):
            began = time.perf_counter()
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            tally.latencies.append(time.perf_counter() - began)
            tally.answered += 1
            tally.wrong += not head.startswith(b"HTTP/1.1 200")
    writer.close()


def _length(head: bytes) -> int:
    place = head.index(b"Content-Length: ") + 16
    return int(head[place : head.index(b"\r", place)])
