"""Redis ACL of docs/running.md: it permits all the gateway does and nothing more."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis as Client
from redis.exceptions import NoPermissionError

from storage.sessions.connect import build_script_client
from storage.sessions.counters import RedisCounters
from tests.storage.sessions.test_contract import take_turn
from tests.storage.sessions.test_redis_servers import cluster as cluster
from tests.storage.sessions.test_redis_servers import random_key
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, connect_webhooks
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, run_server

pytestmark = pytest.mark.redis
PAGE = Path(__file__).parents[2] / "docs" / "running.md"
ANA = "+40740000101"
RUN_BY_URL = {"select"}
"""Needed only where the URL names a database other than 0."""


def acl_rule() -> tuple[str, ...]:
    """Return the ACL rule of the page, with a password."""
    (rule,) = re.findall(r"^ACL SETUSER dialtree on (.+)$", PAGE.read_text(), re.MULTILINE)
    return tuple(rule.replace("PASSWORD", "secret").split())


def cluster_rule() -> tuple[str, ...]:
    """Return the rule the page adds for a cluster."""
    (more,) = re.findall(r"in a cluster add `([^`]+)`", PAGE.read_text())
    return tuple(more.split())


async def create_user(server: RedisServer, *rules: str) -> None:
    """Create the user and begin to count commands."""
    async with Client.from_url(server.url) as admin:
        await admin.execute_command("ACL", "SETUSER", "dialtree", "on", *rules)  # type: ignore[no-untyped-call]
        await admin.config_resetstat()


@pytest.fixture
async def limited_redis() -> AsyncIterator[RedisServer]:
    """Provide a Redis of this test alone, with the user of the page."""
    with run_server(RedisServer) as server:
        await create_user(server, *acl_rule())
        yield server


async def commands_used(server: RedisServer) -> tuple[set[str], list[str]]:
    """Return the commands run since, without our own, and those refused."""
    async with Client.from_url(server.url) as admin:
        stats = await admin.info("commandstats")
        refused = [f"{entry['reason']} {entry['object']}" for entry in await admin.acl_log()]
    ran = {name.removeprefix("cmdstat_") for name in stats}
    return ran - {"auth", "hello", "info", "config|resetstat", "acl|log", "acl|setuser"}, refused


def user_url(server: RedisServer) -> str:
    return server.url.replace("//", "//dialtree:secret@")


async def test_T33_the_rights_of_the_page_serve_whole_conversations(
    limited_redis: RedisServer, sandboxes: SandboxFactory
) -> None:
    async with (
        sandboxes.open(more={"redis_url": user_url(limited_redis)}) as sandbox,
        connect_webhooks(sandbox) as wire,
    ):
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        await phone.dial(ANA, "*100#")
        first = await phone.press("1")
        await phone.repeat_last()
        await phone.send_text(ANA, "477", "ThankYou1")
        await phone.call(ANA, "411")
    ran, refused = await commands_used(limited_redis)
    assert first.lines and {"evalsha", "get", "set", "time"} <= ran
    assert not refused


async def test_T33_the_rights_of_the_page_are_all_used(limited_redis: RedisServer) -> None:
    """Run every script on every path, with and without the script cached in Redis."""
    sessions = build_redis_sessions(user_url(limited_redis), budget_seconds=5.0)
    caller, key = build_script_client(user_url(limited_redis), 5.0), random_key()
    await take_turn(sessions, key, "1")
    await sessions.load_scripts()
    opened = await sessions.open(key, "2")
    await sessions.release(key, opened)
    await RedisCounters(caller, SECRET).count_event("what", "who", 60)
    assert await sessions.forget_subscriber(key.subscriber_hash) > 0
    await sessions.aclose()
    await caller.aclose()
    ran, refused = await commands_used(limited_redis)
    allowed = {rule.removeprefix("+") for rule in acl_rule() if rule.startswith("+")}
    assert not refused
    assert ran == allowed - RUN_BY_URL


@pytest.mark.parametrize(
    "command", [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "another's")]
)
async def test_T33_all_else_is_refused(limited_redis: RedisServer, command: tuple[str, ...]) -> None:
    async with Client.from_url(user_url(limited_redis)) as client:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_T33_another_database_and_a_cluster_are_served_with_what_the_page_adds(
    limited_redis: RedisServer, cluster: list[RedisServer]
) -> None:
    for node in cluster:
        await create_user(node, *acl_rule(), *cluster_rule())
    nodes = f"redis+cluster://dialtree:secret@127.0.0.1:{cluster[0].port}"
    for url in (user_url(limited_redis).replace("/0", "/1"), nodes):
        sessions = build_redis_sessions(url, budget_seconds=5.0)
        await sessions.load_scripts()
        for key in [random_key() for _ in range(10)]:
            await take_turn(sessions, key, "1")
        await sessions.aclose()
    assert [await commands_used(node) for node in (limited_redis, *cluster)] and not (
        await commands_used(cluster[0])
    )[1]
