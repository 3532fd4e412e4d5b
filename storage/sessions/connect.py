"""Live sessions in Redis by URL, and in this process's memory."""

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
    """Sessions in the Redis behind a URL; nothing is opened before the first call.

    redis://[user:password@]host[:port][/db]                     one server; rediss:// over TLS
    redis+sentinel://[...@]host:port,host:port/service[/db]      whichever master the sentinels name
    redis+cluster://[...@]host:port,host:port                    a cluster
    (and rediss+sentinel, rediss+cluster). `?sentinel_password=` is for sentinels that ask for their own.
    Every call waits `budget_seconds` at most. ValueError for any other URL; it does not repeat the URL,
    which may hold a password.
    """
    return RedisSessions(reach(url, budget_seconds), ttl_seconds, limit, wait_seconds, lease_seconds)


def reach(url: str, budget_seconds: float = 0.1) -> Caller:
    """A way to run scripts in the Redis behind a URL, as `connect` reads it."""
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
    """A script is never sent twice: the second would meet the first one's lease. No timeouts of redis-py's
    own either: a call's budget covers connecting, sending and reading.
    """
    return {"retry": Retry(NoBackoff(), 0), "socket_timeout": None, "socket_connect_timeout": None}


def _quiet() -> dict[str, Any]:
    """With notices about maintenance on, redis-py would hand out connections the server has closed."""
    return {"protocol": 2, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _by_sentinel(url: str) -> list[Redis]:
    """The master, and the sentinels who know where it is."""
    service, *rest = urlsplit(url).path.strip("/").split("/")
    if not service:
        raise ValueError("a Sentinel URL ends with the name of the service: redis+sentinel://host:26379/NAME")
    login = _login(url)
    asked = parse_qs(urlsplit(url).query).get("sentinel_password")
    doors = {"ssl": True} if "ssl" in login else {}
    lookup = {**_once(), **doors, **({"password": asked[0]} if asked else {})}
    sentinel = Sentinel(_hosts(url, _SENTINEL_PORT), sentinel_kwargs=lookup)  # type: ignore[no-untyped-call]
    place: dict[str, Any] = {"db": int(rest[0]) if rest else 0}
    master: Redis = sentinel.master_for(service, **place, **login, **_once(), **_quiet())
    return [master, *sentinel.sentinels]


def _cluster(url: str) -> RedisCluster:
    nodes = _hosts(url, _PORT)
    host, port = nodes[0]
    return RedisCluster(host=host, port=port, **_login(url), **_once(), **_quiet())


def _login(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    given: dict[str, Any] = {name: value for name, value in login.items() if value}
    return given | ({"ssl": True} if parts.scheme.startswith("rediss") else {})


def _hosts(url: str, port: int) -> list[tuple[str, int]]:
    """`a:1,b` as pairs; IPv6 addresses stand in brackets."""
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    found = [urlsplit(f"//{place}") for place in places]
    return [(each.hostname or "127.0.0.1", each.port or port) for each in found]
