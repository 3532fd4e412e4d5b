"""OpenAPI 3.1 document of the public surface, built from the webhook endpoints and pages."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from gateway.http import bounce_events, bss_events, payment_callbacks, purchase_events, recorded_prompts
from gateway.http.carrier_billing import CARRIER_BILLING_ROOT
from gateway.http.carrier_refunds import CARRIER_REFUND_ROOT
from gateway.http.decoding import FORM_CONTENT_TYPE
from gateway.http.guard import WebhookEndpoint, WebhookEndpoints
from gateway.http.json_body import JSON_CONTENT_TYPE
from gateway.http.merchant_tokens import OAUTH_PATH
from gateway.pages.routes import FORM_FIELDS, STATIC_ASSETS

JsonObject = dict[str, Any]
REQUEST_ERRORS = {"400": "malformed", "404": "no such endpoint", "408": "too slow", "413": "too large"}
FORM_ERRORS = {**REQUEST_ERRORS, "415": "not a form"}
RATE_LIMIT_ERROR = {"429": "refused too often"}
MERCHANT_CODES = {
    **{"401": "no valid token", "403": "denied", "409": "conflict", "422": "refused", "503": "try again"},
    **FORM_ERRORS,
    **RATE_LIMIT_ERROR,
}


def build_document(endpoints: WebhookEndpoints, operators: Collection[str]) -> str:
    """Return the document as JSON. Path tokens are parameters, so it holds no secret."""
    whose = _path_parameter("operator", enum=sorted(operators))
    paths = dict(_webhook_path(door) for door in endpoints.values())
    paths |= {bss_events.EVENT_PATH: {"post": _bill_event_operation(whose)}}
    paths |= {bounce_events.BOUNCE_PATH: {"post": _bounce_operation(whose)}}
    paths |= {payment_callbacks.PAYMENT_CALLBACK_PATH: _payment_operations(whose)}
    paths |= {purchase_events.PURCHASE_EVENT_PATH: {"post": _purchase_event_operation(whose)}}
    paths |= dict(_carrier_billing_paths(whose))
    paths |= dict(_carrier_refund_paths(whose))
    paths |= {OAUTH_PATH: {"post": _access_token_operation(whose)}}
    paths |= {
        f"/{{operator}}/{name}": _page_operations(whose, name, fields) for name, fields in FORM_FIELDS.items()
    }
    paths |= dict(_file_paths(whose))
    info = {"title": "Dialtree", "version": "1", "description": "Webhooks and pages of a telecom gateway"}
    return json.dumps({"openapi": "3.1.0", "info": info, "paths": paths})


def _webhook_path(endpoint: WebhookEndpoint) -> tuple[str, JsonObject]:
    operator, provider, route = endpoint.name.split("/")
    token = "/{token}" if endpoint.path_tokens else ""
    codes = {"200": "answered", "403": "unsigned", **RATE_LIMIT_ERROR, **FORM_ERRORS}
    declared = endpoint.route
    names = (*(["token"] if token else []), *declared.path_parameters)
    parameters = [_path_parameter(name) for name in names]
    post = _operation(endpoint.name, parameters, codes)
    schema = _form_schema(declared.required_fields, required=declared.required_fields)
    body = _request_body(FORM_CONTENT_TYPE, schema)
    if declared.body_format == "json":
        body = _request_body(JSON_CONTENT_TYPE, {"type": "object"})
    operations = {"post": post | body}
    if declared.accepts_get:
        fields = [_query_parameter(name) | {"required": True} for name in declared.required_fields]
        operations["get"] = _operation(f"{endpoint.name}/get", [*parameters, *fields], codes)
    values = "".join(f"/{{{name}}}" for name in declared.path_parameters)
    return f"/hooks/{operator}/{provider}{token}/{route}{values}", operations


def _bill_event_operation(operator_parameter: JsonObject) -> JsonObject:
    event = _path_parameter("event", enum=sorted(bss_events.ANNOUNCED_EVENTS | bss_events.IGNORED_EVENTS))
    account = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    bill = {
        "type": "object",
        "required": ["id", "billingAccount"],
        "properties": {"id": {"type": "string"}, "billingAccount": account},
    }
    inner = {"type": "object", "required": ["customerBill"], "properties": {"customerBill": bill}}
    schema = {"type": "object", "required": ["event"], "properties": {"event": inner}}
    codes = {"204": "done, or nothing to do", "503": "say it again later", **RATE_LIMIT_ERROR, **REQUEST_ERRORS}
    operation = _operation("tmf678/listener", [operator_parameter, _path_parameter("token"), event], codes)
    return operation | _request_body("application/json", schema)


def _bounce_operation(operator_parameter: JsonObject) -> JsonObject:
    names = ("message_id", "action", "status")
    fields = {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string"} for name in names},
    }
    codes = {
        "204": "recorded",
        "415": "neither a mail nor JSON",
        "503": "say it again later",
        **RATE_LIMIT_ERROR,
        **REQUEST_ERRORS,
    }
    operation = _operation("email/bounces", [operator_parameter, _path_parameter("token")], codes)
    mail = {"message/rfc822": {"schema": {"type": "string"}}, JSON_CONTENT_TYPE: {"schema": fields}}
    return operation | {"requestBody": {"required": True, "content": mail}}


def _payment_operations(operator_parameter: JsonObject) -> JsonObject:
    """Return the operations of a payment's callback; MTN's wallet puts where others post."""
    codes = {
        "200": "noted",
        "401": "unsigned",
        "503": "say it again later",
        **RATE_LIMIT_ERROR,
        **REQUEST_ERRORS,
    }
    body = _request_body(JSON_CONTENT_TYPE, {"type": "object"})
    parameters = [operator_parameter, _path_parameter("provider")]
    return {
        "post": _operation("payment", parameters, codes) | body,
        "put": _operation("payment/put", parameters, codes) | body,
    }


def _purchase_event_operation(operator_parameter: JsonObject) -> JsonObject:
    """Return the operation of a purchase event, a CloudEvent with a signed body."""
    codes = {"204": "counted, or nothing to do", "401": "unsigned", "503": "say it again later"}
    operation = _operation("purchases/events", [operator_parameter], codes | RATE_LIMIT_ERROR | REQUEST_ERRORS)
    return operation | _request_body(JSON_CONTENT_TYPE, {"type": "object"})


def _carrier_billing_paths(operator_parameter: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield the paths of the CAMARA interface; its own description holds the bodies."""
    codes = MERCHANT_CODES
    root, body = CARRIER_BILLING_ROOT, _request_body(JSON_CONTENT_TYPE, {"type": "object"})
    payment = [operator_parameter, _path_parameter("payment")]
    create = _operation("createPayment", [operator_parameter], {"201": "decided", **codes})
    read = {"200": "the payments", **codes}
    yield root, {"post": create | body, "get": _operation("retrievePayments", [operator_parameter], read)}
    prepare = _operation("preparePayment", [operator_parameter], {"201": "decided", **codes})
    yield f"{root}/prepare", {"post": prepare | body}
    yield f"{root}/{{payment}}", {"get": _operation("retrievePayment", payment, read)}
    for step, done in (("validate", "204"), ("confirm", "202"), ("cancel", "202")):
        operation = _operation(f"{step}Payment", payment, {done: "done", **codes})
        yield f"{root}/{{payment}}/{step}", {"post": operation | body}


def _carrier_refund_paths(operator_parameter: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield the paths of refunds; the interface's own description holds the bodies."""
    root, payment = CARRIER_REFUND_ROOT, [operator_parameter, _path_parameter("payment")]
    create = _operation("createRefund", payment, {"201": "given back", **MERCHANT_CODES})
    read = {"200": "as asked", **MERCHANT_CODES}
    body = _request_body(JSON_CONTENT_TYPE, {"type": "object"})
    yield root, {"post": create | body, "get": _operation("retrieveRefunds", payment, read)}
    left = _operation("retrievePaymentRemainingAmount", payment, read)
    yield f"{root}/remaining-amount", {"get": left}
    one = [*payment, _path_parameter("refund")]
    yield f"{root}/{{refund}}", {"get": _operation("retrieveRefund", one, read)}


def _access_token_operation(operator_parameter: JsonObject) -> JsonObject:
    """Return the operation of a merchant's access token (OAuth 2.0 client credentials)."""
    codes = {"200": "a token", "401": "unknown client", **RATE_LIMIT_ERROR, **FORM_ERRORS}
    schema = _form_schema(("scope", "client_id", "client_secret"), required=("grant_type",))
    operation = _operation("merchantToken", [operator_parameter], codes)
    return operation | _request_body(FORM_CONTENT_TYPE, schema)


def _page_operations(operator_parameter: JsonObject, name: str, fields: Sequence[str]) -> JsonObject:
    read = _operation(
        f"page/{name}", [operator_parameter, _query_parameter("lang")], {"200": "the page", **REQUEST_ERRORS}
    )
    codes = {
        "200": "the page",
        "303": "look there",
        "403": "no form of ours",
        "429": "too often",
        **FORM_ERRORS,
    }
    written = _operation(f"page/{name}/submit", [operator_parameter, _query_parameter("lang")], codes)
    return {
        "get": read,
        "post": written | _request_body(FORM_CONTENT_TYPE, _form_schema(fields, required=("form_token",))),
    }


def _file_paths(operator_parameter: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    codes = {"200": "the document", "303": "to the page", "429": "too often", **REQUEST_ERRORS}
    yield (
        "/{operator}/bill.pdf",
        {"get": _operation("bill.pdf", [operator_parameter, _query_parameter("lang")], codes)},
    )
    bare = {"303": "to the bill", **REQUEST_ERRORS}
    yield "/{operator}", {"get": _operation("front", [operator_parameter, _query_parameter("lang")], bare)}
    for name in STATIC_ASSETS:
        yield f"/{{operator}}/{name}", {"get": _operation(name, [operator_parameter], {"200": "the file"})}
    recording = [operator_parameter, _path_parameter("language"), _path_parameter("file")]
    there = {"200": "the recording", "404": "no such recording"}
    yield recorded_prompts.RECORDING_PATH, {"get": _operation("prompt", recording, there)}
    yield "/openapi.json", {"get": _operation("openapi.json", [], {"200": "this"})}


def _operation(name: str, parameters: list[JsonObject], codes: dict[str, str]) -> JsonObject:
    responses = {code: {"description": words} for code, words in codes.items()}
    return {"operationId": name.replace("/", "-"), "parameters": parameters, "responses": responses}


def _path_parameter(name: str, **more: Any) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **more}}


def _query_parameter(name: str) -> JsonObject:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _form_schema(fields: Sequence[str], *, required: Sequence[str]) -> JsonObject:
    properties = {name: {"type": "string"} for name in (*fields, *required)}
    schema = {"type": "object", "properties": properties, "additionalProperties": {"type": "string"}}
    return schema | ({"required": list(required)} if required else {})


def _request_body(kind: str, schema: JsonObject) -> JsonObject:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}
