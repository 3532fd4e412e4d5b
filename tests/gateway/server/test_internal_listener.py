"""Internal listener: readiness names the part that fails and includes a write; workers have one, too."""

from aiohttp import ClientSession
from sqlalchemy import text

from gateway.http.listening import PortTakenError
from gateway.server.health import Health
from gateway.server.internal_listener import serve_worker_listener
from tests.support.databases import NOW
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory


async def fetch_internal(port: int, path: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_a_worker_answers_health_readiness_and_metrics(sandbox: GatewaySandbox) -> None:
    health = Health(sandbox.container, only_delivers=True)
    async with serve_worker_listener(sandbox.container, health) as port:
        assert await fetch_internal(port, "/healthz") == (200, "ok\n")
        assert await fetch_internal(port, "/readyz") == (200, "ready\n")
        status, body = await fetch_internal(port, "/metrics")
        assert status == 200 and 'dialtree_outbox_rows{state="dead"} 0.0' in body
        health.draining = True
        assert await fetch_internal(port, "/readyz") == (503, "not ready\nprocess: draining\n")


async def test_a_database_that_only_reads_makes_it_not_ready_and_is_named(sandbox: GatewaySandbox) -> None:
    health = Health(sandbox.container)
    await sandbox.container.database.write(
        lambda connection: connection.execute(text("PRAGMA query_only = ON"))
    )
    assert await health.find_faults() == ["database: read_only"]


async def test_an_open_circuit_is_named_and_a_worker_is_then_not_ready(sandbox: GatewaySandbox) -> None:
    route = sandbox.container.metrics.routes["orange-ro", "sms"]
    route.providers[0].breaker.probe_at = NOW
    fault = "delivery orange-ro sms africastalking: circuit open"
    assert await Health(sandbox.container, only_delivers=True).find_faults() == [fault]
    serving = Health(sandbox.container)
    assert await serving.find_faults() == [] and serving.find_warnings() == [fault]


async def test_two_workers_of_one_machine_find_a_port_each(sandbox: GatewaySandbox) -> None:
    health = Health(sandbox.container, only_delivers=True)
    async with serve_worker_listener(sandbox.container, health) as first:
        async with serve_worker_listener(sandbox.container, health) as second:
            assert first != second


async def test_a_worker_port_that_was_set_and_is_taken_is_named(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(more={"worker_port": free_port()}) as sandbox:
        health = Health(sandbox.container, only_delivers=True)
        async with serve_worker_listener(sandbox.container, health):
            try:
                async with serve_worker_listener(sandbox.container, health):
                    raise AssertionError("the port was taken")
            except PortTakenError as error:
                assert str(error).startswith("worker_port: ")
