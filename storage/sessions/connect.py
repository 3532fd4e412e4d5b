"""Redis clients and session stores from a URL: single server, Sentinel or Cluster."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from storage.sessions.leaky_bucket import Rate
from storage.sessions.pipelining import Caller, Coalescer, Direct
from storage.sessions.redis_store import RedisSessions

_PORT = 6379
_SENTINEL_PORT = 26379


def connect(
    url: str,
    ttl_seconds: float = 180.0,
    limit: Rate | None = None,
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
    return RedisSessions(reach(url, budget_seconds), ttl_seconds, limit, wait_seconds, lease_seconds)


def reach(url: str, budget_seconds: float = 0.1) -> Caller:
    """Return a script client for a Redis URL in the form `build_redis_sessions` describes."""
    scheme, _, kind = urlsplit(url).scheme.partition("+")
    if scheme not in ("redis", "rediss") or kind not in ("", "sentinel", "cluster"):
        raise ValueError("a Redis URL begins with redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if kind == "sentinel":
        master, *sentinels = _by_sentinel(url)
        return Coalescer(master, budget_seconds, guides=sentinels)
    if kind == "cluster":
        return Direct(_cluster(url), budget_seconds)
    return Coalescer(Redis.from_url(url, **_once(), **_quiet()), budget_seconds)


def _once() -> dict[str, Any]:
    """Turn off redis-py's retries and timeouts.

    A script sent twice would find its own first lease; a call's budget covers connecting, sending and reading.
    """
    return {"retry": Retry(NoBackoff(), 0), "socket_timeout": None, "socket_connect_timeout": None}


def _quiet() -> dict[str, Any]:
    """Turn off maintenance notifications: with them redis-py hands out connections the server has closed."""
    return {"protocol": 2, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _by_sentinel(url: str) -> list[Redis]:
    """Return the client of the master, and those of its sentinels."""
    service, *rest = urlsplit(url).path.strip("/").split("/")
    if not service:
        raise ValueError("a Sentinel URL ends with the name of the service: redis+sentinel://host:26379/NAME")
    login = _login(url)
    password = parse_qs(urlsplit(url).query).get("sentinel_password")
    tls = {"ssl": True} if "ssl" in login else {}
    lookup = {**_once(), **tls, **({"password": password[0]} if password else {})}
    sentinel = Sentinel(_hosts(url, _SENTINEL_PORT), sentinel_kwargs=lookup)  # type: ignore[no-untyped-call]
    database: dict[str, Any] = {"db": int(rest[0]) if rest else 0}
    master: Redis = sentinel.master_for(service, **database, **login, **_once(), **_quiet())
    return [master, *sentinel.sentinels]


def _cluster(url: str) -> RedisCluster:
    nodes = _hosts(url, _PORT)
    host, port = nodes[0]
    return RedisCluster(host=host, port=port, **_login(url), **_once(), **_quiet())


def _login(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    filled: dict[str, Any] = {name: value for name, value in login.items() if value}
    return filled | ({"ssl": True} if parts.scheme.startswith("rediss") else {})


def _hosts(url: str, port: int) -> list[tuple[str, int]]:
    """Parse `a:1,b` into pairs of host and port; IPv6 addresses are in brackets."""
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    addresses = [urlsplit(f"//{place}") for place in places]
    return [(each.hostname or "127.0.0.1", each.port or port) for each in addresses]
