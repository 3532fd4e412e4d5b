"""Redis ACL of docs/running.md: it permits all the gateway does and nothing more."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis as Client
from redis.exceptions import NoPermissionError

from storage.sessions.connect import connect, reach
from storage.sessions.counters import RedisTallies
from tests.lines import OverAfricasTalking, wired
from tests.services import Redis, serving
from tests.sql import SECRET
from tests.test_sessions import turn
from tests.test_sessions_redis_servers import cluster as cluster
from tests.test_sessions_redis_servers import new_key
from tests.world import Worlds

pytestmark = pytest.mark.redis
PAGE = Path(__file__).parent.parent / "docs" / "running.md"
ANA = "+40740000101"
BY_URL = {"select"}
"""Needed only where the URL names a database other than 0."""


def granted() -> tuple[str, ...]:
    """Return the ACL rule of the page, with a password."""
    (rule,) = re.findall(r"^ACL SETUSER dialtree on (.+)$", PAGE.read_text(), re.MULTILINE)
    return tuple(rule.replace("PASSWORD", "secret").split())


def in_a_cluster() -> tuple[str, ...]:
    """Return the rule the page adds for a cluster."""
    (more,) = re.findall(r"in a cluster add `([^`]+)`", PAGE.read_text())
    return tuple(more.split())


async def give(server: Redis, *rules: str) -> None:
    """Create the user and begin to count commands."""
    async with Client.from_url(server.url) as admin:
        await admin.execute_command("ACL", "SETUSER", "dialtree", "on", *rules)  # type: ignore[no-untyped-call]
        await admin.config_resetstat()


@pytest.fixture
async def limited_redis() -> AsyncIterator[Redis]:
    """Provide a Redis of this test alone, with the user of the page."""
    with serving(Redis) as server:
        await give(server, *granted())
        yield server


async def used(server: Redis) -> tuple[set[str], list[str]]:
    """Return the commands run since, without our own, and those refused."""
    async with Client.from_url(server.url) as admin:
        stats = await admin.info("commandstats")
        refused = [f"{entry['reason']} {entry['object']}" for entry in await admin.acl_log()]
    ran = {name.removeprefix("cmdstat_") for name in stats}
    return ran - {"auth", "hello", "info", "config|resetstat", "acl|log", "acl|setuser"}, refused


def as_dialtree(server: Redis) -> str:
    return server.url.replace("//", "//dialtree:secret@")


async def test_T33_the_rights_of_the_page_serve_whole_conversations(
    limited_redis: Redis, sandboxes: Worlds
) -> None:
    async with (
        sandboxes.open(more={"redis_url": as_dialtree(limited_redis)}) as sandbox,
        wired(sandbox) as wire,
    ):
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        await phone.dial(ANA, "*100#")
        first = await phone.press("1")
        await phone.again()
        await phone.text(ANA, "477", "ThankYou1")
        await phone.call(ANA, "411")
    ran, refused = await used(limited_redis)
    assert first.lines and {"evalsha", "get", "set", "time"} <= ran
    assert not refused


async def test_T33_the_rights_of_the_page_are_all_used(limited_redis: Redis) -> None:
    """Run every script on every path, with and without the script cached in Redis."""
    sessions = connect(as_dialtree(limited_redis), budget_seconds=5.0)
    caller, key = reach(as_dialtree(limited_redis), 5.0), new_key()
    await turn(sessions, key, "1")
    await sessions.ready()
    opened = await sessions.open(key, "2")
    await sessions.release(key, opened)
    await RedisTallies(caller, SECRET).count("what", "who", 60)
    assert await sessions.forget(key.tag) > 0
    await sessions.aclose()
    await caller.aclose()
    ran, refused = await used(limited_redis)
    allowed = {rule.removeprefix("+") for rule in granted() if rule.startswith("+")}
    assert not refused
    assert ran == allowed - BY_URL


@pytest.mark.parametrize(
    "command", [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "another's")]
)
async def test_T33_all_else_is_refused(limited_redis: Redis, command: tuple[str, ...]) -> None:
    async with Client.from_url(as_dialtree(limited_redis)) as client:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_T33_another_database_and_a_cluster_are_served_with_what_the_page_adds(
    limited_redis: Redis, cluster: list[Redis]
) -> None:
    for node in cluster:
        await give(node, *granted(), *in_a_cluster())
    nodes = f"redis+cluster://dialtree:secret@127.0.0.1:{cluster[0].port}"
    for url in (as_dialtree(limited_redis).replace("/0", "/1"), nodes):
        sessions = connect(url, budget_seconds=5.0)
        await sessions.ready()
        for key in [new_key() for _ in range(10)]:
            await turn(sessions, key, "1")
        await sessions.aclose()
    assert [await used(node) for node in (limited_redis, *cluster)] and not (await used(cluster[0]))[1]
