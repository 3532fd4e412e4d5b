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

FOLDER = Path(__file__).parent / "standards"
FILES = {
    "tmf678-v4": FOLDER / "tmf678" / "TMF678-CustomerBill-v4.0.0.swagger.json",
    "tmf678-v5": FOLDER / "tmf678" / "TMF678-CustomerBill-v5.0.0.oas.yaml",
    "tmf666-v4": FOLDER / "tmf666" / "TMF666-Account-v4.0.0.swagger.json",
}
NAMES = {
    "customerBill": "CustomerBill",
    "appliedCustomerBillingRate": "AppliedCustomerBillingRate",
    "billingAccount": "BillingAccount",
    "customerBillOnDemand": "CustomerBillOnDemand",
    "hub": "EventSubscription",
}
"""The schema definition of each resource's response."""


@cache
def description(which: str) -> dict[str, Any]:
    """Load a published file."""
    text = FILES[which].read_text("utf-8")
    found: dict[str, Any] = json.loads(text) if text.startswith("{") else yaml.safe_load(text)
    _loosen(found)
    return found


def _loosen(value: Any) -> None:
    """Turn `oneOf` into `anyOf`: OpenAPI decides by a discriminator, which JSON Schema does not know."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _loosen(each)
    if isinstance(value, dict) and "oneOf" in value:
        value["anyOf"] = value.pop("oneOf")


@cache
def validator(which: str, definition: str) -> Draft4Validator:
    """Build a validator for one definition of a file, references resolved within the file."""
    whole = description(which)
    place = "definitions" if "definitions" in whole else "components/schemas"
    return Draft4Validator({**whole, "$ref": f"#/{place}/{definition}"})


def faults(which: str, definition: str, value: Any) -> list[str]:
    """Return the schema errors of a value, each with its path."""
    found = validator(which, definition).iter_errors(value)
    return [f"{definition}/{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


def read_along(
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
class Inspector:
    """Validates every request and response of a TM Forum server against the published files."""

    dialect: str
    seen: set[tuple[str, str, int]] = field(default_factory=set)
    """Method, resource and status of each inspected exchange."""
    wrong: list[str] = field(default_factory=list)

    def over(self, app: web.Application) -> web.Application:
        """Return the application with this inspector in front."""
        return read_along(app, self._exchange)

    def _exchange(self, request: web.Request, sent: Any, response: web.Response) -> None:
        body = response.body if response.content_type == "application/json" else None
        told = json.loads(body) if isinstance(body, bytes) and body else None
        self._answered(request, sent, response.status, told)

    def _answered(self, request: web.Request, sent: Any, status: int, told: Any) -> None:
        resource = next((part for part in request.path.split("/") if part in NAMES), "")
        if not resource:
            return
        which = "tmf666-v4" if resource == "billingAccount" else f"tmf678-{self.dialect}"
        self.seen.add((request.method, resource, status))
        name = "Error" if status >= 400 else self._definition(resource)
        for each in told if isinstance(told, list) else [told] if told is not None else []:
            self._note(which, name, each, partial="fields" in request.query)
        if sent is not None:
            self._note(which, self._asked(which, request.method, resource), sent, partial=False)

    def _asked(self, which: str, method: str, resource: str) -> str:
        """Return the definition of a request's body."""
        if resource == "hub":
            return "EventSubscriptionInput" if which.endswith("v4") else "Hub_FVO"
        parts = {"PATCH": ("_Update", "_MVO"), "POST": ("_Create", "_FVO")}[method]
        return NAMES[resource] + parts[which.endswith("v5")]

    def _definition(self, resource: str) -> str:
        return "Hub" if resource == "hub" and self.dialect == "v5" else NAMES[resource]

    def _note(self, which: str, name: str, value: Any, *, partial: bool) -> None:
        """Record schema errors; with `fields` in the query (`partial`), missing fields are no error."""
        found = faults(which, name, value)
        self.wrong += [each for each in found if not (partial and "is a required property" in each)]
