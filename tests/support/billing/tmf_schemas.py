"""TM Forum's published OpenAPI files as JSON Schema, to validate what goes over the wire."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from jsonschema import Draft4Validator

STANDARDS_FOLDER = Path(__file__).parents[2] / "standards"
DESCRIPTION_FILES = {
    "tmf678-v4": STANDARDS_FOLDER / "tmf678" / "TMF678-CustomerBill-v4.0.0.swagger.json",
    "tmf678-v5": STANDARDS_FOLDER / "tmf678" / "TMF678-CustomerBill-v5.0.0.oas.yaml",
    "tmf635-v4": STANDARDS_FOLDER / "tmf635" / "TMF635-UsageManagement-v4.0.0.swagger.json",
    "tmf666-v4": STANDARDS_FOLDER / "tmf666" / "TMF666-Account-v4.0.0.swagger.json",
}
DEFINITIONS = {
    "customerBill": "CustomerBill",
    "appliedCustomerBillingRate": "AppliedCustomerBillingRate",
    "billingAccount": "BillingAccount",
    "customerBillOnDemand": "CustomerBillOnDemand",
    "hub": "EventSubscription",
    "usage": "Usage",
}
"""The schema definition of each resource's response."""
OTHER_DESCRIPTIONS = {"billingAccount": "tmf666-v4", "usage": "tmf635-v4"}
"""The description of each resource that is not one of TMF678."""


@cache
def load_description(which: str) -> dict[str, Any]:
    """Load a published file."""
    text = DESCRIPTION_FILES[which].read_text("utf-8")
    found: dict[str, Any] = json.loads(text) if text.startswith("{") else yaml.safe_load(text)
    _accept_any_of(found)
    return found


def _accept_any_of(value: Any) -> None:
    """Turn `oneOf` into `anyOf`: OpenAPI decides by a discriminator, which JSON Schema does not know."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _accept_any_of(each)
    if isinstance(value, dict) and "oneOf" in value:
        value["anyOf"] = value.pop("oneOf")


@cache
def build_validator(which: str, definition: str) -> Draft4Validator:
    """Build a validator for one definition of a file, references resolved within the file."""
    whole = load_description(which)
    place = "definitions" if "definitions" in whole else "components/schemas"
    return Draft4Validator({**whole, "$ref": f"#/{place}/{definition}"})


def schema_errors(which: str, definition: str, value: Any) -> list[str]:
    """Return the schema errors of a value, each with its path."""
    found = build_validator(which, definition).iter_errors(value)
    return [f"{definition}/{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


def inspect_traffic(
    app: web.Application, exchange: Callable[[web.Request, Any, web.Response], None]
) -> web.Application:
    """Add a middleware that passes each request, its JSON and its response to `exchange`."""

    @web.middleware
    async def inspected(request: web.Request, handler: Any) -> web.StreamResponse:
        sent = await request.json() if request.can_read_body else None
        response: web.StreamResponse = await handler(request)
        assert isinstance(response, web.Response)
        exchange(request, sent, response)
        return response

    app.middlewares.insert(0, inspected)
    return app


@dataclass(slots=True)
class TmfInspector:
    """Validates every request and response of a TM Forum server against the published files."""

    dialect: str
    inspected_calls: set[tuple[str, str, int]] = field(default_factory=set)
    """Method, resource and status of each inspected exchange."""
    violations: list[str] = field(default_factory=list)

    def attach_to(self, app: web.Application) -> web.Application:
        """Return the application with this inspector in front."""
        return inspect_traffic(app, self._check_exchange)

    def _check_exchange(self, request: web.Request, sent: Any, response: web.Response) -> None:
        body = response.body if response.content_type == "application/json" else None
        told = json.loads(body) if isinstance(body, bytes) and body else None
        self._check_bodies(request, sent, response.status, told)

    def _check_bodies(self, request: web.Request, sent: Any, status: int, told: Any) -> None:
        resource = next((part for part in request.path.split("/") if part in DEFINITIONS), "")
        if not resource:
            return
        which = OTHER_DESCRIPTIONS.get(resource, f"tmf678-{self.dialect}")
        self.inspected_calls.add((request.method, resource, status))
        name = "Error" if status >= 400 else self._answer_definition(resource)
        for each in told if isinstance(told, list) else [told] if told is not None else []:
            self._record_violations(which, name, each, partial="fields" in request.query)
        if sent is not None:
            self._record_violations(
                which, self._request_definition(which, request.method, resource), sent, partial=False
            )

    def _request_definition(self, which: str, method: str, resource: str) -> str:
        """Return the definition of a request's body."""
        if resource == "hub":
            return "EventSubscriptionInput" if which.endswith("v4") else "Hub_FVO"
        parts = {"PATCH": ("_Update", "_MVO"), "POST": ("_Create", "_FVO")}[method]
        return DEFINITIONS[resource] + parts[which.endswith("v5")]

    def _answer_definition(self, resource: str) -> str:
        return "Hub" if resource == "hub" and self.dialect == "v5" else DEFINITIONS[resource]

    def _record_violations(self, which: str, name: str, value: Any, *, partial: bool) -> None:
        """Record schema errors; with `fields` in the query (`partial`), missing fields are no error."""
        found = schema_errors(which, name, value)
        self.violations += [each for each in found if not (partial and "is a required property" in each)]
