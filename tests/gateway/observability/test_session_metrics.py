"""Metrics of the session store: whether sessions are kept in memory for want of Redis, and how many turns."""

from prometheus_client import CollectorRegistry

from flows.domain.failures import Down
from flows.domain.ports import SessionKey
from gateway.observability.collectors import GatewayMetrics
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions
from tests.storage.sessions.test_fallback import FailingSessions, ManualSeconds


async def test_turns_without_redis_are_counted_and_the_state_is_exported() -> None:
    clock, primary = ManualSeconds(), FailingSessions()
    sessions = FallbackSessions(primary, MemorySessions(clock), clock)
    metrics = GatewayMetrics(CollectorRegistry(), {})
    metrics.watch_sessions(sessions)
    value = metrics.registry.get_sample_value
    assert value("dialtree_sessions_degraded") == 0
    primary.failure = Down()
    for number in range(3):
        await sessions.open(SessionKey(f"{number}", "a"), "1")
    assert value("dialtree_sessions_degraded") == 1
    assert value("dialtree_sessions_memory_turns_total") == 3


def test_a_gateway_without_redis_has_no_such_state() -> None:
    metrics = GatewayMetrics(CollectorRegistry(), {})
    metrics.watch_sessions(MemorySessions(ManualSeconds()))
    assert metrics.registry.get_sample_value("dialtree_sessions_degraded") is None
