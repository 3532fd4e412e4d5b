"""Reading what a BSS sends: never more than a limit, JSON with exact numbers, files by their type."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from aiohttp import ClientResponse

from flows.domain.failures import Down

MOST_BYTES = 2 * 1024 * 1024
"""No answer is read further, unpacked."""
MOST_FILE_BYTES = 10 * 1024 * 1024
"""Nor any document: a bill with thousands of lines has less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A BSS's answer: the JSON with exact numbers, and how many there are in all, if it said so."""

    body: Any = field(repr=False)
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it came, with the media type it was sent as."""

    data: bytes = field(repr=False)
    kind: str


async def answer(response: ClientResponse) -> Answer:
    """The body as JSON; Down when it is none, or too much."""
    data = await _read(response, MOST_BYTES)
    total = response.headers.get("X-Total-Count", "")
    return Answer(
        _parsed(data) if data else None, int(total) if total.isdecimal() and len(total) < 10 else None
    )


async def file(response: ClientResponse) -> Sent:
    """The body byte for byte; Down when it is too much."""
    return Sent(bytes(await _read(response, MOST_FILE_BYTES)), response.content_type)


async def _read(response: ClientResponse, most: int) -> bytearray:
    data = bytearray()
    while chunk := await response.content.readany():
        data += chunk
        if len(data) > most:
            raise Down("the BSS answered too much")
    return data


def _no_number(word: str) -> NoReturn:
    raise ValueError("no number")


_DECODE: Callable[[str], Any] = json.JSONDecoder(
    parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number
).decode
"""JSON whose numbers keep their digits; no infinities, no not-a-numbers."""


def _parsed(data: bytearray) -> Any:
    try:
        return _DECODE(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Down("the BSS answered what is no JSON") from error
