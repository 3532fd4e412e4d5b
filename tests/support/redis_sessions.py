"""Redis session stores of tests and benchmarks, from a URL."""

from storage.sessions.connect import build_script_client
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.redis_store import RedisSessions
from tests.support.databases import SECRET


def build_redis_sessions(
    url: str,
    ttl_seconds: float = 180.0,
    rate_limit: TurnRateLimit | None = None,
    wait_seconds: float = 5.0,
    lease_seconds: float = 10.0,
    budget_seconds: float = 0.1,
) -> RedisSessions:
    """Return a session store for a Redis URL in a form that `build_script_client` takes."""
    return RedisSessions(
        build_script_client(url, budget_seconds), SECRET, ttl_seconds, rate_limit, wait_seconds, lease_seconds
    )
