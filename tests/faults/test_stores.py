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
from gateway.clock import MonotonicClock
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.sql.server_clock import server_time
from tests.faults.soak import SoakRun, restart_server
from tests.support.databases import SECRET, count_rows
from tests.support.fault_proxy import FaultProxy
from tests.support.faults.aggregator_phone import (
    MENU_STEPS,
    YES_STEP,
    AggregatorPhone,
    open_http_session,
    wait_until_listening,
)
from tests.support.faults.gateway_processes import GatewayLauncher, GatewayProcess
from tests.support.faults.harness import ANA, FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, RedisServer, poll_until, run_server

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]
APPEND_ONLY = ("--appendonly", "yes", "--appendfsync", "everysec")


@pytest.fixture
async def phone() -> AsyncIterator[AggregatorPhone]:
    async with open_http_session() as session:
        yield AggregatorPhone(session, session_id=f"ATUid_{random.randrange(1 << 40)}")


@pytest.fixture
async def seeded_harness(harness: FaultHarness) -> FaultHarness:
    await harness.seed_demo_data()
    return harness


async def post_first_steps(
    phone: AggregatorPhone, harness: FaultHarness, redis: RedisServer, *texts: str
) -> str:
    """Start a web process on this Redis and post the given steps; return the last screen."""
    web = harness.start_process(role="web", redis_url=redis.url)
    await wait_until_listening(web)
    return await phone.post_steps(web, texts=texts)


async def test_F9_redis_back_empty_is_polite_and_resets_no_counter(
    seeded_harness: FaultHarness, phone: AggregatorPhone
) -> None:
    codes, now = SqlOneTimeCodes(seeded_harness.database, SECRET), datetime.now(UTC)
    for _ in range(9):
        await codes.redeem_code("orange-ro", ANA, "proof", Secret("000000"), now)
    with run_server(RedisServer) as redis:
        await post_first_steps(phone, seeded_harness, redis, *MENU_STEPS)
        await asyncio.to_thread(restart_server, redis)
        screen = await phone.post_step(seeded_harness.processes[-1], YES_STEP)
    assert screen.startswith(("CON", "END"))
    assert await codes.redeem_code("orange-ro", ANA, "proof", Secret("000000"), now) == "locked"


async def test_F10_redis_killed_with_its_log_on_loses_no_step(
    seeded_harness: FaultHarness, phone: AggregatorPhone
) -> None:
    with run_server(RedisServer, *APPEND_ONLY) as redis:
        await post_first_steps(phone, seeded_harness, redis, *MENU_STEPS)
        await asyncio.to_thread(restart_server, redis)
        assert (await phone.post_step(seeded_harness.processes[-1], YES_STEP)).startswith("END Gata!")
    assert await count_rows(seeded_harness.database, "consents") == 1


async def test_F11_failover_to_a_replica_that_lags_has_one_effect_and_the_same_answer(
    seeded_harness: FaultHarness, phone: AggregatorPhone
) -> None:
    with run_server(RedisServer) as master:
        async with FaultProxy(master.port) as link:
            with run_server(RedisServer, "--replicaof", "127.0.0.1", str(link.port)) as replica:
                await poll_until(partial(is_replicated, master), 30)
                await post_first_steps(phone, seeded_harness, master, *MENU_STEPS)
                await poll_until(partial(is_replicated, master), 30)
                link.toxics.timeout = True
                answered = await phone.post_step(seeded_harness.processes[-1], YES_STEP)
                master.kill()
                await run_redis_command(replica, "REPLICAOF", "NO", "ONE")
                heir = seeded_harness.start_process(role="web", redis_url=replica.url)
                await wait_until_listening(heir)
                assert await phone.post_step(heir, YES_STEP) == answered
    assert [await count_rows(seeded_harness.database, each) for each in ("consents", "outbox")] == [1, 1]


async def is_replicated(master: RedisServer) -> bool:
    """Return whether the replica has everything."""
    return int(await run_redis_command(master, "WAIT", 1, 100)) >= 1


async def run_redis_command(server: RedisServer, *words: str | int) -> Any:
    async with Client.from_url(server.url) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_F12_a_full_redis_loses_no_answer(seeded_harness: FaultHarness, phone: AggregatorPhone) -> None:
    with run_server(RedisServer, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as redis:
        assert (await post_first_steps(phone, seeded_harness, redis, *MENU_STEPS, YES_STEP)).startswith(
            "END Gata!"
        )


async def test_F13_a_hanging_redis_delays_a_turn_by_a_tenth_of_a_second(
    seeded_harness: FaultHarness, phone: AggregatorPhone
) -> None:
    loop = asyncio.get_running_loop()
    with run_server(RedisServer) as redis:
        await post_first_steps(phone, seeded_harness, redis, MENU_STEPS[0])
        redis.pause()
        began = loop.time()
        await phone.post_steps(seeded_harness.processes[-1], texts=MENU_STEPS[1:3])
        took = loop.time() - began
        redis.resume()
    assert took < 1.5 and all(screen[:3] == "CON" for screen in phone.screens)


@pytest.fixture
async def killable_postgres(launcher: GatewayLauncher) -> AsyncIterator[tuple[FaultHarness, PostgresServer]]:
    """Provide a harness on a PostgreSQL that this test may kill."""
    with run_server(PostgresServer) as server:
        async with open_harness(launcher, server.create_database("faults")) as made:
            await made.seed_demo_data()
            yield made, server


async def test_F14_while_postgres_is_killed_answers_are_polite_and_no_message_is_lost(
    killable_postgres: tuple[FaultHarness, PostgresServer], phone: AggregatorPhone
) -> None:
    harness, server = killable_postgres
    both = harness.start_process(role="both")
    await wait_until_listening(both)
    texts = [f"m{number}" for number in range(60)]
    posting = asyncio.create_task(post_until_answered(phone, both, texts))
    await harness.provider.wait_for_request()
    await asyncio.to_thread(server.kill)
    screen = await replace(phone, session_id="other").post_step(both, "")
    await asyncio.to_thread(server.start)
    await posting
    verdict = await harness.check_replies(phone, texts)
    assert screen.startswith(("CON", "END"))
    assert harness.provider.received_counts.total() == 60
    assert verdict.is_exactly_once


async def post_until_answered(phone: AggregatorPhone, web: GatewayProcess, texts: list[str]) -> None:
    """Post each text until it is answered 200, each from its own number (the flood guard would drop them)."""
    for index, message_id in enumerate(texts):
        caller = replace(phone, caller=f"+4074888{index:04}")
        await poll_until(partial(_is_answered, caller, web, message_id), 30)


async def _is_answered(caller: AggregatorPhone, web: GatewayProcess, message_id: str) -> bool:
    return await caller.post_text(web, message_id, "AJUTOR") is not None


async def test_F15_restarted_within_a_transaction_the_job_runs_once_more_and_writes_once(
    killable_postgres: tuple[FaultHarness, PostgresServer],
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


async def test_F16_crossed_transactions_both_end_with_one_effect_each(harness: FaultHarness) -> None:
    await harness.commit_notices("a", "b")
    change = text("UPDATE outbox SET reason = reason || 'x' WHERE key = :key")

    async def crossed(first: str, second: str) -> None:
        def job(connection: Connection) -> None:
            connection.execute(change, {"key": first})
            connection.execute(text("SELECT pg_sleep(0.2)"))
            connection.execute(change, {"key": second})

        await harness.database.write(job)

    await asyncio.gather(crossed("a", "b"), crossed("b", "a"))
    assert {row.reason for row in await harness.outbox.list_rows("pending", 10)} == {"xx"}


async def test_F19_an_exhausted_pool_sheds_and_recovers(harness: FaultHarness) -> None:
    hold, loop = text("SELECT pg_sleep(1)"), asyncio.get_running_loop()
    holders = [asyncio.create_task(run_statement(harness, hold)) for _ in range(10)]
    await asyncio.sleep(0.2)
    began = loop.time()
    with pytest.raises(Overloaded):
        await harness.commit_notices("shed")
    assert loop.time() - began < 0.6
    await asyncio.gather(*holders)
    await harness.commit_notices("kept")


async def run_statement(harness: FaultHarness, hold: TextClause) -> None:
    await harness.database.read(lambda connection: connection.execute(hold).close())


async def test_F20_a_worker_survives_terminated_connections(harness: FaultHarness) -> None:
    worker = harness.start_process()
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for number in range(5):
        await harness.commit_notices(f"p{number}")
        await harness.database.read(lambda connection: connection.execute(others).close())
    assert (await harness.wait_until_settled()).is_exactly_once and worker.exit_status is None


async def test_F33_a_wall_clock_step_neither_expires_nor_revives_a_code(harness: FaultHarness) -> None:
    wall, seconds = datetime.now(UTC), [0.0]
    clock = MonotonicClock(lambda: wall, lambda: seconds[0])
    codes, code, life = SqlOneTimeCodes(harness.database, SECRET), Secret("48291357"), timedelta(minutes=10)
    await codes.issue_code(CodeRequest("k", "orange-ro", ANA, "proof", code, clock(), clock() + life, None))
    wall += timedelta(hours=1)
    seconds[0] = 599.0
    assert clock() < wall
    assert await codes.redeem_code("orange-ro", ANA, "proof", code, clock()) == "ok"
    told = await server_time(harness.database)
    assert told is not None
    clock.synchronise(told)
    assert clock() == told


async def test_F34_a_deploy_drops_none_of_two_hundred_sessions(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    old = seeded_harness.start_process(role="web", redis_url=redis_url)
    new = seeded_harness.start_process(role="newer", redis_url=redis_url)
    await wait_until_listening(old, new)
    name = f"deploy-{phone.session_id}"
    callers = [
        AggregatorPhone(phone.session, f"+4074999{number:04}", f"{name}-{number}") for number in range(200)
    ]
    for some in in_batches(callers):
        await asyncio.gather(*(caller.post_steps(old, texts=MENU_STEPS[:2]) for caller in some))
    for some in in_batches(callers):
        await asyncio.gather(*(caller.post_step(new, MENU_STEPS[2]) for caller in some))
    assert {caller.screens[-1].splitlines()[0] for caller in callers} == {"CON Factura"}


def in_batches(callers: list[AggregatorPhone]) -> list[list[AggregatorPhone]]:
    """Split into groups of ten: all sessions are live, but not all press at once."""
    return [callers[start : start + 10] for start in range(0, len(callers), 10)]


async def test_F6_twelve_kills_of_workers_and_postgres_lose_and_duplicate_nothing(
    launcher: GatewayLauncher,
) -> None:
    """Twelve kills; the long run is `make soak KILLS=200 STORES=1`. Sessions take no part."""
    with run_server(PostgresServer) as server:
        async with open_harness(launcher, server.create_database("faults")) as harness:
            verdict = await SoakRun(harness, 12, 6, server).run()
    assert verdict.is_exactly_once and verdict.accepted_count == 36
