"""JSON-body decoder with limits: returns the leaves as fields with dotted names, or raises BadRequest."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flows.domain.failures import BadRequest
from gateway.http.decoding import MAX_FIELDS, MAX_VALUE_CHARACTERS

JSON_CONTENT_TYPE = "application/json"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_DEPTH = 8
"""Nested objects and arrays; deeper documents are refused."""


def decode_json(
    data: bytes,
    content_type: str,
    charset: str | None,
    max_characters: int = MAX_VALUE_CHARACTERS,
    max_fields: int = MAX_FIELDS,
) -> Mapping[str, str]:
    """Return the leaves of a JSON object as fields: `{"a": {"b": [1, true]}}` is `a.b.0` `1`, `a.b.1` `true`.

    Leaves that are null are left out. Half a surrogate pair (a text cut inside an emoji) becomes U+FFFD, as no
    database can store it. BadRequest 415 for another content type or charset, 400 for anything
    else: repeated names, NULs, too many leaves, too long or too deep ones, numbers that are none.
    """
    if content_type != JSON_CONTENT_TYPE or (charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise BadRequest(f"send {JSON_CONTENT_TYPE} in UTF-8", 415)
    try:
        document = json.loads(
            data.decode(),
            object_pairs_hook=_unique_object,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object")
    return _collect_fields(document, max_characters, max_fields)


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; ValueError for a repeated name, which two readers would read differently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _collect_fields(document: dict[str, Any], max_characters: int, max_fields: int) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for name, value in _leaves(document, "", 1):
        if name in fields:
            raise BadRequest("a field is repeated")
        if "\x00" in value or "\x00" in name:
            raise BadRequest("a field has a NUL")
        if max(len(value), len(name)) > max_characters:
            raise BadRequest("a field is too long")
        fields[name] = _LONE_SURROGATE.sub("\ufffd", value)
        if len(fields) > max_fields:
            raise BadRequest("too many fields")
    return fields


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each leaf with its dotted name; BadRequest below `MAX_DEPTH`."""
    if not isinstance(value, dict | list):
        if value is not None:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)
        return
    if depth > MAX_DEPTH:
        raise BadRequest("the body is nested too deeply")
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield from _leaves(inner, f"{name}.{key}" if name else str(key), depth + 1)
