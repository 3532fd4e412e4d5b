"""The demo's merchants: the purchase that docs/purchases.md shows is made, and told by SMS."""

import json
import re
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.demo.startup import default_settings
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

PAGE = Path(__file__).parents[3] / "docs" / "purchases.md"


def documented_purchase() -> tuple[str, str, str]:
    """Return path, token and body of the purchase in the page."""
    found = re.search(
        r"127\.0\.0\.1:8080(/camara\S+) .*?Bearer ([\w-]+)'.*?-d '(\{.*?\})'\n", PAGE.read_text(), re.DOTALL
    )
    assert found
    return found[1], found[2], found[3]


@pytest.mark.parametrize(("amount", "status", "told"), [("1.80", 201, "Zone 2"), ("45.00", 403, "refusé")])
async def test_the_documented_purchase_reaches_the_phone(
    sandboxes: SandboxFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    amount: str,
    status: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    table = {"purchases": default_settings({})["operators"]["bouygues"]["purchases"]}
    path, token, body = documented_purchase()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert json.loads(body)
    async with (
        sandboxes.open(operator="bouygues", more={"operators": {"bouygues": table}}) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession(headers=headers) as client,
    ):
        wanted = body.replace("1.80", amount)
        async with client.post(f"http://127.0.0.1:{port}{path}", data=wanted) as answer:
            assert answer.status == status, await answer.text()
        (message,) = [each.body for each in await sandbox.messages.collect_new()]
    assert told in message
