"""Kill Bill's published resources as JSON Schema, to validate adapter and demo BSS."""

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

from tests.support.billing.tmf_schemas import inspect_traffic

RESOURCES_FILE = Path(__file__).parents[2] / "standards" / "killbill" / "resources.yaml"
FORMATS = {
    "uuid": {"format": "uuid"},
    "date": {"format": "date"},
    "date-time": {"pattern": r"^\d{4}-\d\d-\d\dT.*Z$"},
}
CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$"}
IDENTIFIER_IN_PATH = re.compile(r"(?<=s/)(?!pagination|charges/)[^/]+")
"""The part of a path that identifies a resource."""


@cache
def load_resources() -> dict[str, Any]:
    """Load the file of resources."""
    found: dict[str, Any] = yaml.safe_load(RESOURCES_FILE.read_text("utf-8"))
    return found


def _json_schema(told: Any) -> dict[str, Any]:
    """Return the JSON Schema of one entry: a type, a resource, a list of them, or an enumeration."""
    if isinstance(told, list):
        return {"type": "array", "items": _json_schema(told[0])}
    if isinstance(told, Mapping):
        return {"enum": [*told]}
    if told in load_resources()["resources"]:
        return {"$ref": f"#/$defs/{told}"}
    if told == "currency":
        return CURRENCY
    return {"type": "string", **FORMATS[told]} if told in FORMATS else {"type": told}


def _resource_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    needed = [name.rstrip("!") for name in fields if name.endswith("!")]
    optional = {name: {"anyOf": [_json_schema(told), {"type": "null"}]} for name, told in fields.items()}
    strict = {name.rstrip("!"): _json_schema(told) for name, told in fields.items() if name.endswith("!")}
    known = {name: told for name, told in optional.items() if not name.endswith("!")}
    return {
        "type": "object",
        "required": needed,
        "properties": {**known, **strict},
        "additionalProperties": False,
    }


@cache
def _build_validator(what: str) -> Draft202012Validator:
    defs = {name: _resource_schema(fields) for name, fields in load_resources()["resources"].items()}
    return Draft202012Validator(
        {**_json_schema(json.loads(what)), "$defs": defs}, format_checker=FormatChecker()
    )


def resource_errors(what: Any, value: Any) -> list[str]:
    """Return the schema errors of a value said to be a resource, or a list of them (`["Invoice"]`)."""
    found = _build_validator(json.dumps(what)).iter_errors(value)
    return [f"{what}/{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@dataclass(slots=True)
class KillBillInspector:
    """Validates every request and response of a server against the published resources."""

    inspected_calls: set[tuple[str, int]] = field(default_factory=set)
    """The inspected calls and their statuses."""
    violations: list[str] = field(default_factory=list)

    def attach_to(self, app: web.Application) -> web.Application:
        """Return the application with this inspector in front."""
        return inspect_traffic(app, self._check_exchange)

    def _check_exchange(self, request: web.Request, sent: Any, response: web.Response) -> None:
        name = f"{request.method} {IDENTIFIER_IN_PATH.sub('{}', request.path)}"
        self.inspected_calls.add((name, response.status))
        call = load_resources()["calls"].get(name)
        if call is None or response.status not in call["answers"]:
            self.violations.append(f"{name}: {response.status} is not published")
            return
        if sent is not None:
            self.violations += resource_errors(call["sends"], sent)
        what = call["answers"][response.status]
        if what == response.content_type or what is None:
            return
        assert isinstance(response.body, bytes)
        self.violations += resource_errors(what, json.loads(response.body))
