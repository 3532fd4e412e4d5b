"""The strict decoder in front of every webhook: whatever comes in, fields or a clear 4xx come out."""

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from flows.domain.failures import BadRequest

MOST_BYTES = 64 * 1024
MOST_FIELDS = 64
MOST_CHARACTERS = 4096
"""Of one value; Twilio's longest is a Body of 1,600."""
READ_SECONDS = 5.0
"""aiohttp has no deadline for bodies of its own."""
FORM = "application/x-www-form-urlencoded"
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin-1"})
"""aiohttp would honour any codec Python knows, utf-7 among them."""


async def body(request: web.Request) -> bytes:
    """The raw body, bounded in size and time; BadRequest 413 or 408 otherwise."""
    if (request.content_length or 0) > MOST_BYTES:
        raise BadRequest("the body is too large", 413)
    try:
        if request.content.is_eof():  # it came with the head, as small bodies do: nothing to wait for
            return _sized(request.content.read_nowait())
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise BadRequest("the body came too slowly", 408) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise BadRequest("the body is too large", 413) from error
    except web.RequestPayloadError as error:
        raise BadRequest("the body is not what its encoding says") from error


def _sized(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise BadRequest("the body is too large", 413)
    return data


def form(data: bytes, content_type: str, charset: str | None) -> Mapping[str, str]:
    """The fields of a form body; BadRequest 415 for any other kind of body."""
    if content_type != FORM:
        raise BadRequest(f"send {FORM}", 415)
    if charset and charset.lower() not in CHARSETS:
        raise BadRequest("this charset is not taken; send UTF-8", 415)
    try:
        return fields(data.decode(charset or "utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest("the body is not what its charset says") from error


def fields(text: str) -> Mapping[str, str]:
    """Single-valued fields, blank ones kept; BadRequest for repeats, NULs, floods and broken escapes."""
    pairs = text.replace("+", " ").split("&") if text else []
    if len(pairs) > MOST_FIELDS:
        raise BadRequest("too many fields")
    try:
        found = dict(map(_pair, pairs))
    except UnicodeDecodeError as error:
        raise BadRequest("an escape is not UTF-8") from error
    if len(found) != len(pairs):
        raise BadRequest("a field is repeated")
    if "\x00" in text or "%00" in text:
        raise BadRequest("a field has a NUL")
    if len(text) > MOST_CHARACTERS and any(len(value) > MOST_CHARACTERS for value in found.values()):
        raise BadRequest("a field is too long")
    return found


def _pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return (_plain(name), _plain(value)) if "%" in pair else (name, value)


def _plain(text: str) -> str:
    """Its escapes undone; those of ASCII, nearly all there are, by a table in a third of `unquote`'s time."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    try:
        for part in rest:
            first += _LETTERS[part[:2]] + part[2:]
        return first
    except KeyError:  # wide or broken
        return unquote(text, errors="strict")


_LETTERS = {f"{code:02{case}}": chr(code) for code in range(128) for case in "xX"}
