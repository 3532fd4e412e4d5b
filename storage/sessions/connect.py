"""Redis clients and session stores from a URL: single server, Sentinel or Cluster."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.pipelining import ClusterScripts, PipelinedScripts, ScriptClient
from storage.sessions.redis_store import RedisSessions

_REDIS_PORT = 6379
_SENTINEL_PORT = 26379


def build_redis_sessions(
    url: str,
    ttl_seconds: float = 180.0,
    rate_limit: TurnRateLimit | None = None,
    wait_seconds: float = 5.0,
    lease_seconds: float = 10.0,
    budget_seconds: float = 0.1,
) -> RedisSessions:
    """Return a session store for a Redis URL; no connection is opened before the first call.

    redis://[user:password@]host[:port][/db]                     one server; rediss:// over TLS
    redis+sentinel://[...@]host:port,host:port/service[/db]      the sentinels' current master
    redis+cluster://[...@]host:port,host:port                    a cluster
    (and rediss+sentinel, rediss+cluster). `?sentinel_password=` is for sentinels with their own password.
    Every call waits `budget_seconds` at most. ValueError for any other URL; it does not repeat the URL,
    which may hold a password.
    """
    return RedisSessions(
        build_script_client(url, budget_seconds), ttl_seconds, rate_limit, wait_seconds, lease_seconds
    )


def build_script_client(url: str, budget_seconds: float = 0.1) -> ScriptClient:
    """Return a script client for a Redis URL in the form `build_redis_sessions` describes."""
    scheme, _, kind = urlsplit(url).scheme.partition("+")
    if scheme not in ("redis", "rediss") or kind not in ("", "sentinel", "cluster"):
        raise ValueError("a Redis URL begins with redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if kind == "sentinel":
        master, *sentinels = _sentinel_clients(url)
        return PipelinedScripts(master, budget_seconds, sentinels=sentinels)
    if kind == "cluster":
        return ClusterScripts(_cluster_client(url), budget_seconds)
    return PipelinedScripts(
        Redis.from_url(url, **_no_retry_options(), **_no_maintenance_options()), budget_seconds
    )


def _no_retry_options() -> dict[str, Any]:
    """Turn off redis-py's retries and timeouts.

    A script sent twice would find its own first lease; a call's budget covers connecting, sending and reading.
    """
    return {"retry": Retry(NoBackoff(), 0), "socket_timeout": None, "socket_connect_timeout": None}


def _no_maintenance_options() -> dict[str, Any]:
    """Turn off maintenance notifications: with them redis-py hands out connections the server has closed."""
    return {"protocol": 2, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _sentinel_clients(url: str) -> list[Redis]:
    """Return the client of the master, and those of its sentinels."""
    service, *rest = urlsplit(url).path.strip("/").split("/")
    if not service:
        raise ValueError("a Sentinel URL ends with the name of the service: redis+sentinel://host:26379/NAME")
    login = _login_options(url)
    password = parse_qs(urlsplit(url).query).get("sentinel_password")
    tls = {"ssl": True} if "ssl" in login else {}
    lookup = {**_no_retry_options(), **tls, **({"password": password[0]} if password else {})}
    sentinel = Sentinel(_parse_hosts(url, _SENTINEL_PORT), sentinel_kwargs=lookup)  # type: ignore[no-untyped-call]
    database: dict[str, Any] = {"db": int(rest[0]) if rest else 0}
    master: Redis = sentinel.master_for(
        service, **database, **login, **_no_retry_options(), **_no_maintenance_options()
    )
    return [master, *sentinel.sentinels]


def _cluster_client(url: str) -> RedisCluster:
    nodes = _parse_hosts(url, _REDIS_PORT)
    host, port = nodes[0]
    return RedisCluster(
        host=host, port=port, **_login_options(url), **_no_retry_options(), **_no_maintenance_options()
    )


def _login_options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    filled: dict[str, Any] = {name: value for name, value in login.items() if value}
    return filled | ({"ssl": True} if parts.scheme.startswith("rediss") else {})


def _parse_hosts(url: str, default_port: int) -> list[tuple[str, int]]:
    """Parse `a:1,b` into pairs of host and port; IPv6 addresses are in brackets."""
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    addresses = [urlsplit(f"//{place}") for place in places]
    return [(each.hostname or "127.0.0.1", each.port or default_port) for each in addresses]
