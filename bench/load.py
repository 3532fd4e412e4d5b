"""Load generator: keep-alive connections that walk journeys, cheap enough that the server saturates."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

Step = tuple[str, str]
"""What is answered at a step, and words the screen after it must hold."""
Journey = Callable[[int], list[tuple[bytes, bytes]]]
"""Returns the requests of a journey by its number, each with the words its answer must hold."""
FORM_TYPE = "application/x-www-form-urlencoded"
REQUEST_HEAD = "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"


@dataclass(slots=True)
class LoadResult:
    """The result of one run."""

    answer_count: int = 0
    error_count: int = 0
    """Responses with a status other than 200."""
    wrong_count: int = 0
    """Responses without the words the screen must hold: an apology, or another screen."""
    first_wrong: str = ""
    latency_seconds: list[float] = field(default_factory=list)

    def p99_milliseconds(self) -> float:
        """Return the 99th percentile of the latency, in milliseconds."""
        return sorted(self.latency_seconds)[int(len(self.latency_seconds) * 0.99)] * 1000


def build_request(path: str, fields: dict[str, str]) -> bytes:
    """Return a form post as it goes over the wire."""
    body = urlencode(fields).encode()
    return REQUEST_HEAD.format(path=path, kind=FORM_TYPE, size=len(body)).encode() + body


def ussd_journey(path: str, steps: Sequence[Step], callers: int) -> Journey:
    """Return the journey of an aggregator's USSD session: each request repeats all answers so far."""
    texts = list(itertools.accumulate((answer for answer, _ in steps), _append_answer))
    expected = [words.encode() for _, words in steps]

    def journey(number: int) -> list[tuple[bytes, bytes]]:
        caller = f"+4074{number % callers:07}"
        base = {
            "sessionId": f"ATUid_{number}",
            "serviceCode": "*100#",
            "phoneNumber": caller,
            "networkCode": "99999",
        }
        requests = [build_request(path, base | {"text": text}) for text in texts]
        return list(zip(requests, expected, strict=True))

    return journey


def _append_answer(heard: str, answer: str) -> str:
    return f"{heard}*{answer}" if heard else answer


async def run_load(
    port: int, journey: Journey, numbers: Iterator[int], connections: int, seconds: float
) -> LoadResult:
    """Load the server for the given number of seconds."""
    tally, end = LoadResult(), time.perf_counter() + seconds
    await asyncio.gather(*(_run_connection(port, journey, numbers, end, tally) for _ in range(connections)))
    return tally


async def run_journeys(port: int, journey: Journey, numbers: Iterator[int], connections: int) -> LoadResult:
    """Walk each of the numbered journeys once."""
    tally = LoadResult()
    await asyncio.gather(
        *(_run_connection(port, journey, numbers, float("inf"), tally) for _ in range(connections))
    )
    return tally


async def _run_connection(
    port: int, journey: Journey, numbers: Iterator[int], end: float, tally: LoadResult
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        if time.perf_counter() >= end:
            break
        for data, words in journey(number):
            began = time.perf_counter()
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_content_length(head))
            tally.latency_seconds.append(time.perf_counter() - began)
            tally.answer_count += 1
            tally.error_count += not head.startswith(b"HTTP/1.1 200")
            if words not in body:
                tally.wrong_count += 1
                tally.first_wrong = tally.first_wrong or body.decode(errors="replace")
    writer.close()


def _content_length(head: bytes) -> int:
    place = head.index(b"Content-Length: ") + 16
    return int(head[place : head.index(b"\r", place)])
