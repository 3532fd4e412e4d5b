"""`dialtree hooks`: every printed address leads to a webhook of that operator, and none is left out."""

from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.cli import hooks
from gateway.cli.main import run_command
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

MORE = {
    "operators": {
        "orange-ro": {
            "routes": {"email": "smtp://127.0.0.1:9", "bounces_token": "bounces-token-of-24-chars"},
            "bss": {"hub_token": "hub-token-of-24-characters"},
        }
    }
}
CONFIG = f"""
public_url = "{PUBLIC_URL}"
secret_key = "4f1c8b9d7e6a5f3b2c1d0e9f8a7b6c5d4e3f2a1b"
[operators.orange-ro.africastalking]
username = "dialtree"
api_key = "atsk_6f1c8b9d7e6a5f3b2c1d0e9f8a7b6c5d"
hook_token = "7c9e6679f7f44a2c8c1dA3xQ"
sender = "477"
[operators.orange-fr.twilio]
account_sid = "AC6f1c8b9d7e6a5f3b2c1d0e9f8a7b6c5d"
auth_token = "9b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e"
sender = "+33600000000"
"""


async def test_every_address_is_served(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(more=MORE) as sandbox:
        rows = list(hooks.webhook_addresses(sandbox.container.settings))
        async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port, ClientSession() as client:
            for _, receiver, name, methods, address in rows:
                path = address.removeprefix(PUBLIC_URL)
                path += "/customerBillCreateEvent" if name == "bill events" else ""
                async with client.post(f"http://127.0.0.1:{port}{path}", data=b"") as answer:
                    assert answer.status not in (404, 405), (receiver, name)
                assert methods in ("POST", "GET,POST")
    endpoints = {(row[1], row[2]) for row in rows}
    assert {(name, route) for _, name, route in sandbox.container.guard.endpoints} <= endpoints
    assert {"bounces", "bill events", "payment"} <= {row[2] for row in rows}
    assert any(HOOK_TOKEN in row[4] for row in rows) and not any(AUTH_TOKEN in row[4] for row in rows)


def test_one_operator_is_printed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dialtree.toml").write_text(CONFIG)
    monkeypatch.setenv("DIALTREE_CONFIG", str(tmp_path / "dialtree.toml"))
    assert run_command(["hooks", "orange-fr"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(
        line.startswith("orange-fr") and f"{PUBLIC_URL}/hooks/orange-fr/twilio" in line for line in lines
    )
    assert run_command(["hooks", "nobody"]) == 2
    assert "operators.nobody" in capsys.readouterr().err
