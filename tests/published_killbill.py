"""Kill Bill's published resources: what adapter and demo BSS say to each other is held against them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from jsonschema import Draft202012Validator, FormatChecker

from tests.published import read_along

FILE = Path(__file__).parent / "standards" / "killbill" / "resources.yaml"
FORMATS = {
    "uuid": {"format": "uuid"},
    "date": {"format": "date"},
    "date-time": {"pattern": r"^\d{4}-\d\d-\d\dT.*Z$"},
}
CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$"}
NAME = re.compile(r"(?<=s/)(?!pagination)[^/]+")
"""The part of a path that says whose it is."""


@cache
def published() -> dict[str, Any]:
    """The file."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def _schema(told: Any) -> dict[str, Any]:
    """The JSON Schema of one word of the file: a type, a resource, a list of them, or a set of words."""
    if isinstance(told, list):
        return {"type": "array", "items": _schema(told[0])}
    if isinstance(told, Mapping):
        return {"enum": [*told]}
    if told in published()["resources"]:
        return {"$ref": f"#/$defs/{told}"}
    if told == "currency":
        return CURRENCY
    return {"type": "string", **FORMATS[told]} if told in FORMATS else {"type": told}


def _resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    needed = [name.rstrip("!") for name in fields if name.endswith("!")]
    optional = {name: {"anyOf": [_schema(told), {"type": "null"}]} for name, told in fields.items()}
    strict = {name.rstrip("!"): _schema(told) for name, told in fields.items() if name.endswith("!")}
    known = {name: told for name, told in optional.items() if not name.endswith("!")}
    return {
        "type": "object",
        "required": needed,
        "properties": {**known, **strict},
        "additionalProperties": False,
    }


@cache
def _validator(what: str) -> Draft202012Validator:
    defs = {name: _resource(fields) for name, fields in published()["resources"].items()}
    return Draft202012Validator({**_schema(json.loads(what)), "$defs": defs}, format_checker=FormatChecker())


def faults(what: Any, value: Any) -> list[str]:
    """What is wrong with a value said to be a resource, or a list of them (`["Invoice"]`)."""
    found = _validator(json.dumps(what)).iter_errors(value)
    return [f"{what}/{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@dataclass(slots=True)
class KillBillInspector:
    """Reads along: every request and answer of a server, held against the file."""

    seen: set[tuple[str, int]] = field(default_factory=set)
    """The calls that were inspected, and their statuses."""
    wrong: list[str] = field(default_factory=list)

    def over(self, app: web.Application) -> web.Application:
        """The same application, read along."""
        return read_along(app, self._exchange)

    def _exchange(self, request: web.Request, sent: Any, response: web.Response) -> None:
        name = f"{request.method} {NAME.sub('{}', request.path)}"
        self.seen.add((name, response.status))
        call = published()["calls"].get(name)
        if call is None or response.status not in call["answers"]:
            self.wrong.append(f"{name}: {response.status} is not published")
            return
        if sent is not None:
            self.wrong += faults(call["sends"], sent)
        what = call["answers"][response.status]
        if what == response.content_type or what is None:
            return
        assert isinstance(response.body, bytes)
        self.wrong += faults(what, json.loads(response.body))
