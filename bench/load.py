"""Load generator: keep-alive connections that walk journeys, cheap enough that the server saturates."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

Step = tuple[str, str]
"""What is answered at a step, and words the screen after it must hold."""
Journey = Callable[[int], list[tuple[bytes, bytes]]]
"""Returns the requests of a journey by its number, each with the words its answer must hold."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
FORM_TYPE = "application/x-www-form-urlencoded"
REQUEST_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n"
)
PAGE_HEAD = "GET {path} HTTP/1.1\r\nHost: bench\r\n{more}\r\n"
NO_HEADERS: Mapping[str, str] = {}
CONNECTING_AT_ONCE = 50
"""Connections opened at a time: more than a listening socket queues would wait a second for a second try."""


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


def build_request(path: str, fields: Mapping[str, str], headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """Return a form post as it goes over the wire."""
    body = urlencode(fields).encode()
    head = REQUEST_HEAD.format(path=path, kind=FORM_TYPE, size=len(body), more=_format_headers(headers))
    return head.encode() + body


def build_page_request(path: str, headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """Return a GET as it goes over the wire."""
    return PAGE_HEAD.format(path=path, more=_format_headers(headers)).encode()


def _format_headers(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def ussd_journey(path: str, steps: Sequence[Step], callers: int, first: int = 0, stride: int = 1) -> Journey:
    """Return the journey of an aggregator's USSD session: each request repeats all answers so far.

    The callers are every `stride`-th from `first`. Session ids hold the caller, so that journeys of other
    callers may have the same numbers.
    """
    texts = list(itertools.accumulate((answer for answer, _ in steps), _append_answer))
    expected = [words.encode() for _, words in steps]

    def journey(number: int) -> list[tuple[bytes, bytes]]:
        caller = f"+4074{first + stride * (number % callers):07}"
        base = {
            "sessionId": f"ATUid_{caller}_{number}",
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
    """Load the server for the given number of seconds, counted from when all connections are open."""
    async with open_connections(port, connections) as opened:
        end = time.perf_counter() + seconds
        return await walk_connections(opened, journey, numbers, end)


async def run_journeys(port: int, journey: Journey, numbers: Iterator[int], connections: int) -> LoadResult:
    """Walk each of the numbered journeys once."""
    async with open_connections(port, connections) as opened:
        return await walk_connections(opened, journey, numbers, float("inf"))


@asynccontextmanager
async def open_connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Open so many connections to a port of this machine, and close them at the end of the block."""
    opened: list[Connection] = []
    while len(opened) < count:
        more = min(CONNECTING_AT_ONCE, count - len(opened))
        opened += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(more)))
    yield opened
    for _, writer in opened:
        writer.close()


async def walk_connections(
    opened: Sequence[Connection], journey: Journey, numbers: Iterator[int], end: float
) -> LoadResult:
    """Walk journeys on all connections until no number is left, or the clock has passed `end`."""
    tally = LoadResult()
    await asyncio.gather(*(_walk_connection(each, journey, numbers, end, tally) for each in opened))
    return tally


async def _walk_connection(
    connection: Connection, journey: Journey, numbers: Iterator[int], end: float, tally: LoadResult
) -> None:
    reader, writer = connection
    while time.perf_counter() < end and (number := next(numbers, None)) is not None:
        for data, words in journey(number):
            began = time.perf_counter()
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_content_length(head))
            tally.latency_seconds.append(time.perf_counter() - began)
            _count_answer(tally, head, body, words)


def _count_answer(tally: LoadResult, head: bytes, body: bytes, words: bytes) -> None:
    """Count an answer; remember the first one without the words."""
    tally.answer_count += 1
    tally.error_count += not head.startswith(b"HTTP/1.1 200")
    if words not in body:
        tally.wrong_count += 1
        tally.first_wrong = tally.first_wrong or body.decode(errors="replace")


def _content_length(head: bytes) -> int:
    place = head.index(b"Content-Length: ") + 16
    return int(head[place : head.index(b"\r", place)])
