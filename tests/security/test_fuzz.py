"""Fuzz every route of the OpenAPI document and every page: nothing answers 5xx."""

import json
import random
import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import schemathesis
from aiohttp import ClientSession, CookieJar
from hypothesis import HealthCheck, Phase, given, settings

from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox, SandboxFactory

HIDDEN_INPUT = re.compile(r'<input type="hidden" name="(form_token|slip)" value="([^"]*)">')
PAGES = ("bill", "address", "mailbox", "confirm", "file", "bill.pdf", "style.css", "link.js", "icon.svg")
EXAMPLE_COUNT = 20
BODY_BYTES = 60


def draw_cases(operation: Any) -> list[Any]:
    """Draw cases of one operation, the same in every run."""
    cases: list[Any] = []
    quiet = settings(
        max_examples=EXAMPLE_COUNT,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    quiet(given(case=operation.as_strategy())(lambda case: cases.append(case)))()
    return cases


def request_of(case: Any) -> tuple[str, Any]:
    """Return path and body of a drawn request; its path token is the valid one every second time."""
    right, path = len(str(case.body)) % 2, case.path
    for name, value in case.path_parameters.items():
        plain = "".join(filter(str.isalnum, str(value)))[:40] or "x"
        path = path.replace(f"{{{name}}}", str(value) if name in ("operator", "event") else plain)
        path = path.replace(f"/{plain}/", f"/{HOOK_TOKEN}/") if name == "token" and right else path
    if isinstance(case.body, dict) and case.media_type != "application/json":
        return path, {str(name): str(value) for name, value in case.body.items()}
    return path, case.body


async def send_case(client: ClientSession, base: str, case: Any) -> int:
    """Send a drawn request and return its status; a page's form has a valid token every second time."""
    path, fields = request_of(case)
    if case.media_type == "application/json":
        async with client.request(case.method, base + path, data=json.dumps(fields)) as got:
            return got.status
    if case.method == "GET":
        async with client.get(base + path) as got:
            return got.status
    if isinstance(fields, dict) and "form_token" in fields and len(fields["form_token"]) % 2:
        async with client.get(base + path) as page:
            fields |= dict(HIDDEN_INPUT.findall(await page.text()))
    pairs = fields.items() if isinstance(fields, dict) else [("body", repr(fields))]
    body = urlencode([*pairs], errors="replace")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.request(case.method, base + path, data=body, headers=headers) as got:
        return got.status


async def test_every_described_route_survives_generated_requests(sandboxes: SandboxFactory) -> None:
    more = {"operators": {"orange-ro": {"bss": {"hub_token": HOOK_TOKEN}}}}
    jar, seen = CookieJar(unsafe=True), Counter[int]()
    async with (
        sandboxes.open(more=more) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
    ):
        async with ClientSession(cookie_jar=jar) as client:
            base = f"http://127.0.0.1:{port}"
            async with client.get(f"{base}/openapi.json") as got:
                described = schemathesis.openapi.from_dict(await got.json())
            for operation in described.get_all_operations():
                cases = draw_cases(operation.ok())  # type: ignore[union-attr]
                statuses = [await send_case(client, base, case) for case in cases]
                assert statuses and max(statuses) < 500
                seen.update(statuses)
    assert {200, 204, 400, 403, 404} <= seen.keys()


async def test_every_route_is_described(sandbox: GatewaySandbox) -> None:
    app = public_app(sandbox.container)
    async with serve_app(app, "127.0.0.1", 0) as port, ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port}/openapi.json") as got:
            paths = (await got.json())["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    hooks = {f"/hooks/{place}" for place in ("orange-ro/twilio/sms", "orange-ro/africastalking/{token}/ussd")}
    own = {"tmf678", "email", "payment", "purchases"}
    assert hooks <= paths.keys() and len(sandbox.container.guard.endpoints) == sum(
        not own & {*path.split("/")} and path.startswith("/hooks/") for path in paths
    )
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    any_hook = "/hooks/{operator}/{provider}/{tail}"  # described as the path of each connection
    missing = served - described - {("POST", any_hook), ("GET", any_hook)}
    assert {method for method, _ in missing} <= {"HEAD"}
    for path, methods in paths.items():
        assert "post" not in methods or "requestBody" in methods["post"], path


async def test_every_page_survives_random_bytes(sandbox: GatewaySandbox) -> None:
    dice = random.Random(20260310)
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port, ClientSession() as client:
        for page in PAGES * 20:
            url, body = f"http://127.0.0.1:{port}/orange-ro/{page}", dice.randbytes(BODY_BYTES)
            async with client.post(url, data=body) as got:
                assert got.status < 500
            async with client.get(f"{url}?{body.hex()}=%{body.hex()[:2]}") as got:
                assert got.status < 500
