"""Redis clients from a URL: single server, Sentinel or Cluster."""

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from storage.sessions.pipelining import PipelinedScripts
from storage.sessions.redis_cluster import ClusterScripts
from storage.sessions.redis_sentinel import ParallelSentinel
from storage.sessions.redis_url import REDIS_PORT, TLS_OPTIONS, parse_hosts, split_redis_url
from storage.sessions.script_client import ScriptClient

_SENTINEL_PORT = 26379
MIN_HOST_SECONDS = 0.5
"""Least time one host of a Sentinel or Cluster has to answer a search, which goes on behind the callers."""


def build_script_client(url: str, budget_seconds: float = 0.1) -> ScriptClient:
    """Return a script client for a Redis URL; no connection is opened before the first call.

    redis://[user:password@]host[:port][/db]                     one server; rediss:// over TLS
    redis+sentinel://[...@]host:port,host:port/service[/db]      the sentinels' current master
    redis+cluster://[...@]host:port,host:port                    a cluster
    (and rediss+sentinel, rediss+cluster). Options: `?ssl_ca_certs=` and the other TLS files;
    `?sentinel_password=` for sentinels with their own password. Any host of a list may be gone or silent.
    Every call waits `budget_seconds` at most. ValueError for any other URL; it does not repeat the URL,
    which may hold a password.
    """
    parts = split_redis_url(url)
    kind = parts.scheme.partition("+")[2]
    if kind == "sentinel":
        master, *sentinels = _sentinel_clients(parts, budget_seconds)
        return PipelinedScripts(master, budget_seconds, sentinels)
    if kind == "cluster":
        hosts = parse_hosts(parts, REDIS_PORT)
        return ClusterScripts(_cluster_client(parts, hosts, budget_seconds), budget_seconds, hosts)
    return PipelinedScripts(
        Redis.from_url(url, **_no_retry_options(), **_no_maintenance_options()), budget_seconds
    )


def _no_retry_options() -> dict[str, Any]:
    """Turn off redis-py's retries and timeouts.

    A script sent twice would find its own first lease; a call's budget covers connecting, sending and reading.
    """
    return {"retry": Retry(NoBackoff(), 0), "socket_timeout": None, "socket_connect_timeout": None}


def _discovery_options(budget_seconds: float) -> dict[str, Any]:
    """Limit what a search for a master or for nodes waits for one host, which may be silent."""
    seconds = max(budget_seconds, MIN_HOST_SECONDS)
    return {**_no_retry_options(), "socket_timeout": seconds, "socket_connect_timeout": seconds}


def _no_maintenance_options() -> dict[str, Any]:
    """Turn off maintenance notifications: with them redis-py hands out connections the server has closed."""
    return {"protocol": 2, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _sentinel_clients(parts: SplitResult, budget_seconds: float) -> list[Redis]:
    """Return the client of the master, and those of its sentinels."""
    service, *rest = parts.path.strip("/").split("/")
    if not service:
        raise ValueError("a Sentinel URL ends with the name of the service: redis+sentinel://host:26379/NAME")
    if rest and not rest[0].isdigit():
        raise ValueError("a Sentinel URL ends with the number of a database, or with the service's name")
    login = _login_options(parts)
    password = parse_qs(parts.query).get("sentinel_password")
    tls = {name: value for name, value in login.items() if name.startswith("ssl")}
    lookup = {**_discovery_options(budget_seconds), **tls, **({"password": password[0]} if password else {})}
    sentinel = ParallelSentinel(parse_hosts(parts, _SENTINEL_PORT), sentinel_kwargs=lookup)  # type: ignore[no-untyped-call]
    database: dict[str, Any] = {"db": int(rest[0]) if rest else 0}
    master: Redis = sentinel.master_for(
        service, **database, **login, **_no_retry_options(), **_no_maintenance_options()
    )
    return [master, *sentinel.sentinels]


def _cluster_client(parts: SplitResult, hosts: list[tuple[str, int]], budget_seconds: float) -> RedisCluster:
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in hosts],
        **_login_options(parts),
        **_discovery_options(budget_seconds),
        **_no_maintenance_options(),
    )


def _login_options(parts: SplitResult) -> dict[str, Any]:
    """Return user, password and TLS options for the servers of a Sentinel or Cluster URL."""
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    filled: dict[str, Any] = {name: value for name, value in login.items() if value}
    if not parts.scheme.startswith("rediss"):
        return filled
    tls = {name: values[0] for name, values in parse_qs(parts.query).items() if name in TLS_OPTIONS}
    return filled | {"ssl": True} | tls
