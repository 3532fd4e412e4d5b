"""A provider that is out on the billing day: the metrics, readiness and each row say so, and the bills wait."""

import argparse
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from gateway.cli import notify, outbox
from gateway.demo.faulty_billing import FaultyBilling
from gateway.server.health import Health
from gateway.server.internal_listener import serve_worker_listener
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

WAIT = timedelta(minutes=2)
ROUNDS = 6
BREAKER = 'dialtree_circuit_breaker_open{operator="orange-ro",provider="africastalking",route="sms"} 1.0'
ATTEMPTS = 'dialtree_delivery_attempts_total{kind="notice",operator="orange-ro",route="sms",state="again"}'
CIRCUIT = f"delivery {OPERATOR} sms africastalking: circuit open"


async def announce_bills(sandbox: GatewaySandbox) -> int:
    """Run `dialtree notify` for the current cycle and return its exit status."""
    ports = sandbox.container.operators[OPERATOR]
    assert isinstance(ports.billing, FaultyBilling)
    ports.billing = ports.billing.inner
    given = argparse.Namespace(operator=OPERATOR, cycle="", listen=False, dry_run=False, confirm=0, demo=False)
    return await notify.run_notify(given, sandbox.container)


async def read_internal(sandbox: GatewaySandbox, *paths: str) -> list[tuple[int, str]]:
    """Return status and text of pages of a worker's internal listener."""
    health = Health(sandbox.container, only_delivers=True)
    async with serve_worker_listener(sandbox.container, health) as port, ClientSession() as session:
        answers = [await session.get(f"http://127.0.0.1:{port}{path}") for path in paths]
        return [(answer.status, await answer.text()) for answer in answers]


async def test_while_the_provider_is_out_metrics_readiness_and_the_row_say_so(
    sandboxes: SandboxFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = {"africastalking": {"api_url": f"http://127.0.0.1:{free_port()}"}}
    async with sandboxes.open(more={"operators": {OPERATOR: nowhere}}) as sandbox:
        assert await announce_bills(sandbox) == 0
        for _ in range(ROUNDS):
            await sandbox.container.outbox_worker.run_once()
            sandbox.clock.advance(WAIT)
        (status, ready), (_, metrics) = await read_internal(sandbox, "/readyz", "/metrics")
        rows = await sandbox.container.outbox.list_rows("again", 9)
        unfiltered = dict.fromkeys(("operator", "kind", "newer", "older"))
        listing = argparse.Namespace(what="list", state="again", limit=9, **unfiltered)
        await outbox.run_action(sandbox.container.outbox, listing, sandbox.clock())
    assert status == 503 and CIRCUIT in ready
    assert f'dialtree_outbox_rows{{state="again"}} {len(rows)}.0' in metrics
    assert f"dialtree_outbox_age_seconds {ROUNDS * WAIT.total_seconds()}" in metrics
    assert BREAKER in metrics
    assert ATTEMPTS in metrics
    assert {row.provider for row in rows} == {"africastalking"} and all(row.reason for row in rows)
    assert "sms by africastalking: TryLater" in capsys.readouterr().out
