"""The OpenAPI description of the public surface, made from the doors that exist."""

import json
from typing import Any

from gateway.decode import FORM
from gateway.guard import Door, Doors


def document(doors: Doors) -> str:
    """The description as JSON. Path tokens are parameters: the document holds no secret."""
    paths = dict(_path(door) for door in doors.values())
    info = {"title": "Dialtree", "version": "1", "description": "Webhooks of a USSD, SMS and voice gateway"}
    return json.dumps({"openapi": "3.1.0", "info": info, "paths": paths})


def _path(door: Door) -> tuple[str, dict[str, Any]]:
    operator, provider, route = door.name.split("/")
    token = "/{token}" if door.tokens else ""
    parameters = (
        [{"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}] if token else []
    )
    return f"/hooks/{operator}/{provider}{token}/{route}", {"post": _post(door, parameters)}


def _post(door: Door, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    required = list(door.route.required)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in required},
        "additionalProperties": {"type": "string"},
    }
    schema |= {"required": required} if required else {}
    codes = {"200": "answered", "400": "malformed", "403": "unsigned", "404": "no such place"}
    codes |= {"408": "too slow", "413": "too large", "415": "not a form"}
    return {
        "operationId": door.name.replace("/", "-"),
        "parameters": parameters,
        "requestBody": {"required": True, "content": {FORM: {"schema": schema}}},
        "responses": {code: {"description": words} for code, words in codes.items()},
    }
