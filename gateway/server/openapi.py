"""OpenAPI 3.1 document of the public surface, built from the webhook endpoints and pages."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from gateway.http import bss_events, recordings
from gateway.http.decoding import FORM
from gateway.http.guard import Door, Doors
from gateway.pages.routes import ASSETS, FORMS

Description = dict[str, Any]
MALFORMED = {"400": "malformed", "404": "no such endpoint", "408": "too slow", "413": "too large"}
FORMED = {**MALFORMED, "415": "not a form"}
SHED = {"429": "refused too often"}


def document(doors: Doors, operators: Collection[str]) -> str:
    """Return the document as JSON. Path tokens are parameters, so it holds no secret."""
    whose = _parameter("operator", enum=sorted(operators))
    paths = dict(_door(door) for door in doors.values())
    paths |= {bss_events.PATH: {"post": _event(whose)}}
    paths |= {f"/{{operator}}/{name}": _page(whose, name, fields) for name, fields in FORMS.items()}
    paths |= dict(_files(whose))
    info = {"title": "Dialtree", "version": "1", "description": "Webhooks and pages of a telecom gateway"}
    return json.dumps({"openapi": "3.1.0", "info": info, "paths": paths})


def _door(door: Door) -> tuple[str, Description]:
    operator, provider, route = door.name.split("/")
    token = "/{token}" if door.tokens else ""
    codes = {"200": "answered", "403": "unsigned", **SHED, **FORMED}
    post = _operation(door.name, [_parameter("token")] if token else [], codes)
    schema = _schema(door.route.required, required=door.route.required)
    return f"/hooks/{operator}/{provider}{token}/{route}", {"post": post | _body(FORM, schema)}


def _event(whose: Description) -> Description:
    event = _parameter("event", enum=sorted(bss_events.EVENTS | bss_events.OTHERS))
    account = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    bill = {
        "type": "object",
        "required": ["id", "billingAccount"],
        "properties": {"id": {"type": "string"}, "billingAccount": account},
    }
    inner = {"type": "object", "required": ["customerBill"], "properties": {"customerBill": bill}}
    schema = {"type": "object", "required": ["event"], "properties": {"event": inner}}
    codes = {"204": "done, or nothing to do", "503": "say it again later", **SHED, **MALFORMED}
    operation = _operation("tmf678/listener", [whose, _parameter("token"), event], codes)
    return operation | _body("application/json", schema)


def _page(whose: Description, name: str, fields: Sequence[str]) -> Description:
    read = _operation(f"page/{name}", [whose, _query("lang")], {"200": "the page", **MALFORMED})
    codes = {"200": "the page", "303": "look there", "403": "no form of ours", "429": "too often", **FORMED}
    written = _operation(f"page/{name}/submit", [whose, _query("lang")], codes)
    return {"get": read, "post": written | _body(FORM, _schema(fields, required=("form_token",)))}


def _files(whose: Description) -> Iterator[tuple[str, Description]]:
    codes = {"200": "the document", "303": "to the page", "429": "too often", **MALFORMED}
    yield "/{operator}/bill.pdf", {"get": _operation("bill.pdf", [whose, _query("lang")], codes)}
    for name in ASSETS:
        yield f"/{{operator}}/{name}", {"get": _operation(name, [whose], {"200": "the file"})}
    recording = [whose, _parameter("language"), _parameter("file")]
    there = {"200": "the recording", "404": "no such recording"}
    yield recordings.PATH, {"get": _operation("prompt", recording, there)}
    yield "/openapi.json", {"get": _operation("openapi.json", [], {"200": "this"})}


def _operation(name: str, parameters: list[Description], codes: dict[str, str]) -> Description:
    responses = {code: {"description": words} for code, words in codes.items()}
    return {"operationId": name.replace("/", "-"), "parameters": parameters, "responses": responses}


def _parameter(name: str, **more: Any) -> Description:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **more}}


def _query(name: str) -> Description:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _schema(fields: Sequence[str], *, required: Sequence[str]) -> Description:
    properties = {name: {"type": "string"} for name in (*fields, *required)}
    schema = {"type": "object", "properties": properties, "additionalProperties": {"type": "string"}}
    return schema | ({"required": list(required)} if required else {})


def _body(kind: str, schema: Description) -> Description:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}
