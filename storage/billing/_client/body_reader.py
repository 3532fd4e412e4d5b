"""Bounded reader of HTTP response bodies: JSON with exact decimal numbers, and files."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NoReturn

from aiohttp import ClientResponse

from flows.domain.failures import Down

MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""Size limit of a JSON answer, after decompression."""
MAX_FILE_BYTES = 10 * 1024 * 1024
"""Size limit of a document; a bill with thousands of lines is smaller."""
MAX_BILL_BYTES = MAX_ANSWER_BYTES + MAX_FILE_BYTES * 3 // 2
"""Size limit of one bill in JSON that may embed a document: base64 adds a third, its line breaks more."""


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """A JSON answer with exact numbers, and the total number of items if `X-Total-Count` gave it."""

    body: Any = field(repr=False)
    total_count: int | None = None
    status: int = HTTPStatus.OK
    entity_tag: str = field(default="", repr=False)
    """Version of the resource (`ETag`), sent back with a change (`If-Match`); empty where none is given."""


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A downloaded file, byte for byte, with the media type of the response."""

    data: bytes = field(repr=False)
    media_type: str


JsonReader = Callable[[ClientResponse], Awaitable[JsonAnswer]]


async def read_json(response: ClientResponse, max_bytes: int = MAX_ANSWER_BYTES) -> JsonAnswer:
    """Read the body as JSON, 204 as an empty list; Down when it is not JSON or over the size limit."""
    data = await _read_bounded(response, max_bytes)
    if not data and response.status == HTTPStatus.NO_CONTENT:
        return JsonAnswer([], 0, response.status)
    total = response.headers.get("X-Total-Count", "")
    return JsonAnswer(
        _parse_json(data) if data else None,
        int(total) if total.isdecimal() and len(total) < 10 else None,
        response.status,
        response.headers.get("ETag", ""),
    )


async def read_bill_json(response: ClientResponse) -> JsonAnswer:
    """Read the body as JSON that may embed a document of 10 MB."""
    return await read_json(response, MAX_BILL_BYTES)


async def read_file(response: ClientResponse) -> DownloadedFile:
    """Read the body byte for byte; Down when it is over the size limit."""
    return DownloadedFile(bytes(await _read_bounded(response, MAX_FILE_BYTES)), response.content_type)


async def _read_bounded(response: ClientResponse, max_bytes: int) -> bytearray:
    data = bytearray()
    while chunk := await response.content.readany():
        data += chunk
        if len(data) > max_bytes:
            raise Down("the BSS answered more than the size limit")
    return data


def _reject_constant(_word: str) -> NoReturn:
    raise ValueError("not a finite number")


_DECODE_JSON: Callable[[str], Any] = json.JSONDecoder(
    parse_float=Decimal, parse_int=Decimal, parse_constant=_reject_constant
).decode
"""Decodes JSON with numbers as Decimal; Infinity and NaN are refused."""


def _parse_json(data: bytearray) -> Any:
    try:
        return _DECODE_JSON(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Down("the BSS answered something that is not JSON") from error
