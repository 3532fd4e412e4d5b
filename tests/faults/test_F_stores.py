"""Stores killed, stopped, emptied and full: polite answers meanwhile, and no message lost."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis as Client
from sqlalchemy import Connection, TextClause, text

from flows.domain.failures import Overloaded
from flows.domain.records import CodeRequest, Secret
from gateway.clock import Steady
from storage.credentials.one_time_codes import SqlCodes
from storage.sql.server_clock import server_time
from tests.faultproxy import FaultProxy
from tests.faults.family import Gateway, Nursery
from tests.faults.phone import MENU, YES, Phone, line, serves
from tests.faults.soak import Soak, reborn
from tests.faults.stage import ANA, Stage, staged
from tests.services import Postgres, Redis, eventually, serving
from tests.sql import SECRET, rows_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]
AOF = ("--appendonly", "yes", "--appendfsync", "everysec")


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with line() as session:
        yield Phone(session, session_id=f"ATUid_{random.randrange(1 << 40)}")


@pytest.fixture
async def seeded_harness(harness: Stage) -> Stage:
    await harness.seed()
    return harness


async def dialled(phone: Phone, harness: Stage, redis: Redis, *texts: str) -> str:
    """Start a web process on this Redis and post the given steps; return the last screen."""
    web = harness.worker(role="web", redis_url=redis.url)
    await serves(web)
    return await phone.walk(web, texts=texts)


async def test_F9_redis_back_empty_is_polite_and_resets_no_counter(seeded_harness: Stage, phone: Phone) -> None:
    codes, now = SqlCodes(seeded_harness.database, SECRET), datetime.now(UTC)
    for _ in range(9):
        await codes.redeem("orange-ro", ANA, "proof", Secret("000000"), now)
    with serving(Redis) as redis:
        await dialled(phone, seeded_harness, redis, *MENU)
        await asyncio.to_thread(reborn, redis)
        screen = await phone.step(seeded_harness.own[-1], YES)
    assert screen.startswith(("CON", "END"))
    assert await codes.redeem("orange-ro", ANA, "proof", Secret("000000"), now) == "locked"


async def test_F10_redis_killed_with_its_log_on_loses_no_step(seeded_harness: Stage, phone: Phone) -> None:
    with serving(Redis, *AOF) as redis:
        await dialled(phone, seeded_harness, redis, *MENU)
        await asyncio.to_thread(reborn, redis)
        assert (await phone.step(seeded_harness.own[-1], YES)).startswith("END Gata!")
    assert await rows_in(seeded_harness.database, "consents") == 1


async def test_F11_failover_to_a_replica_that_lags_has_one_effect_and_the_same_answer(
    seeded_harness: Stage, phone: Phone
) -> None:
    with serving(Redis) as master:
        async with FaultProxy(master.port) as link:
            with serving(Redis, "--replicaof", "127.0.0.1", str(link.port)) as replica:
                await eventually(partial(copied, master), 30)
                await dialled(phone, seeded_harness, master, *MENU)
                await eventually(partial(copied, master), 30)
                link.toxics.timeout = True
                answered = await phone.step(seeded_harness.own[-1], YES)
                master.kill()
                await asked(replica, "REPLICAOF", "NO", "ONE")
                heir = seeded_harness.worker(role="web", redis_url=replica.url)
                await serves(heir)
                assert await phone.step(heir, YES) == answered
    assert [await rows_in(seeded_harness.database, each) for each in ("consents", "outbox")] == [1, 1]


async def copied(master: Redis) -> bool:
    """Return whether the replica has everything."""
    return int(await asked(master, "WAIT", 1, 100)) >= 1


async def asked(server: Redis, *words: str | int) -> Any:
    async with Client.from_url(server.url) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_F12_a_full_redis_loses_no_answer(seeded_harness: Stage, phone: Phone) -> None:
    with serving(Redis, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as redis:
        assert (await dialled(phone, seeded_harness, redis, *MENU, YES)).startswith("END Gata!")


async def test_F13_a_hanging_redis_delays_a_turn_by_a_tenth_of_a_second(
    seeded_harness: Stage, phone: Phone
) -> None:
    loop = asyncio.get_running_loop()
    with serving(Redis) as redis:
        await dialled(phone, seeded_harness, redis, MENU[0])
        redis.pause()
        began = loop.time()
        await phone.walk(seeded_harness.own[-1], texts=MENU[1:3])
        took = loop.time() - began
        redis.resume()
    assert took < 1.5 and all(screen[:3] == "CON" for screen in phone.seen)


@pytest.fixture
async def killable_postgres(launcher: Nursery) -> AsyncIterator[tuple[Stage, Postgres]]:
    """Provide a harness on a PostgreSQL that this test may kill."""
    with serving(Postgres) as server:
        async with staged(launcher, server.create("faults")) as made:
            await made.seed()
            yield made, server


async def test_F14_while_postgres_is_killed_answers_are_polite_and_no_message_is_lost(
    killable_postgres: tuple[Stage, Postgres], phone: Phone
) -> None:
    harness, server = killable_postgres
    both = harness.worker(role="both")
    await serves(both)
    texts = [f"m{number}" for number in range(60)]
    posting = asyncio.create_task(until_answered(phone, both, texts))
    await harness.fake.busy()
    await asyncio.to_thread(server.kill)
    screen = await replace(phone, session_id="other").step(both, "")
    await asyncio.to_thread(server.start)
    await posting
    verdict = await harness.replies(phone, texts)
    assert screen.startswith(("CON", "END"))
    assert harness.fake.received.total() == 60
    assert verdict.spotless


async def until_answered(phone: Phone, web: Gateway, texts: list[str]) -> None:
    """Post each text until it is answered 200, each from its own number (the flood guard would drop them)."""
    for index, message_id in enumerate(texts):
        caller = replace(phone, caller=f"+4074888{index:04}")
        await eventually(partial(_answered, caller, web, message_id), 30)


async def _answered(caller: Phone, web: Gateway, message_id: str) -> bool:
    return await caller.text(web, message_id, "AJUTOR") is not None


async def test_F15_restarted_within_a_transaction_the_job_runs_once_more_and_writes_once(
    killable_postgres: tuple[Stage, Postgres],
) -> None:
    harness, server = killable_postgres
    runs: list[int] = []

    def job(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("INSERT INTO changes (key, outcome, at) VALUES ('once', 'ok', now())"))
        if len(runs) == 1:
            server.stop()
            server.start()
            connection.execute(text("SELECT 1"))

    await harness.database.write(job, seconds=30)
    found = text("SELECT count(*) FROM changes WHERE key = 'once'")
    assert len(runs) == 2
    assert await harness.database.read(lambda connection: connection.execute(found).scalar_one()) == 1


async def test_F16_crossed_transactions_both_end_with_one_effect_each(harness: Stage) -> None:
    await harness.promise("a", "b")
    change = text("UPDATE outbox SET reason = reason || 'x' WHERE key = :key")

    async def crossed(first: str, second: str) -> None:
        def job(connection: Connection) -> None:
            connection.execute(change, {"key": first})
            connection.execute(text("SELECT pg_sleep(0.2)"))
            connection.execute(change, {"key": second})

        await harness.database.write(job)

    await asyncio.gather(crossed("a", "b"), crossed("b", "a"))
    assert {row.reason for row in await harness.outbox.list_rows("pending", 10)} == {"xx"}


async def test_F19_an_exhausted_pool_sheds_and_recovers(harness: Stage) -> None:
    hold, loop = text("SELECT pg_sleep(1)"), asyncio.get_running_loop()
    holders = [asyncio.create_task(held(harness, hold)) for _ in range(10)]
    await asyncio.sleep(0.2)
    began = loop.time()
    with pytest.raises(Overloaded):
        await harness.promise("shed")
    assert loop.time() - began < 0.6
    await asyncio.gather(*holders)
    await harness.promise("kept")


async def held(harness: Stage, hold: TextClause) -> None:
    await harness.database.read(lambda connection: connection.execute(hold).close())


async def test_F20_a_worker_survives_terminated_connections(harness: Stage) -> None:
    worker = harness.worker()
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for number in range(5):
        await harness.promise(f"p{number}")
        await harness.database.read(lambda connection: connection.execute(others).close())
    assert (await harness.quiet()).spotless and worker.status is None


async def test_F33_a_wall_clock_step_neither_expires_nor_revives_a_code(harness: Stage) -> None:
    wall, seconds = datetime.now(UTC), [0.0]
    clock = Steady(lambda: wall, lambda: seconds[0])
    codes, code, life = SqlCodes(harness.database, SECRET), Secret("48291357"), timedelta(minutes=10)
    await codes.issue(CodeRequest("k", "orange-ro", ANA, "proof", code, clock(), clock() + life, None))
    wall += timedelta(hours=1)
    seconds[0] = 599.0
    assert clock() < wall
    assert await codes.redeem("orange-ro", ANA, "proof", code, clock()) == "ok"
    told = await server_time(harness.database)
    assert told is not None
    clock.follow(told)
    assert clock() == told


async def test_F34_a_deploy_drops_none_of_two_hundred_sessions(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    old = seeded_harness.worker(role="web", redis_url=redis_url)
    new = seeded_harness.worker(role="newer", redis_url=redis_url)
    await serves(old, new)
    name = f"deploy-{phone.session_id}"
    callers = [Phone(phone.session, f"+4074999{number:04}", f"{name}-{number}") for number in range(200)]
    for some in batched(callers):
        await asyncio.gather(*(caller.walk(old, texts=MENU[:2]) for caller in some))
    for some in batched(callers):
        await asyncio.gather(*(caller.step(new, MENU[2]) for caller in some))
    assert {caller.seen[-1].splitlines()[0] for caller in callers} == {"CON Factura"}


def batched(callers: list[Phone]) -> list[list[Phone]]:
    """Split into groups of ten: all sessions are live, but not all press at once."""
    return [callers[start : start + 10] for start in range(0, len(callers), 10)]


async def test_F6_twelve_kills_of_workers_and_postgres_lose_and_duplicate_nothing(
    launcher: Nursery,
) -> None:
    """Twelve kills; the long run is `make soak KILLS=200 STORES=1`. Sessions take no part."""
    with serving(Postgres) as server:
        async with staged(launcher, server.create("faults")) as harness:
            verdict = await Soak(harness, 12, 6, server).run()
    assert verdict.spotless and verdict.accepted == 36
