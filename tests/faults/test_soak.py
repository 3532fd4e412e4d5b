"""Short soak tests in every run; their time is mostly waiting, so a busy machine does not matter."""

import pytest

from tests.faults.paused_soak import PausedSoak
from tests.faults.soak import SoakRun
from tests.faults.wish_soak import WishSoak, open_soak
from tests.support.faults.aggregator_phone import wait_until_listening
from tests.support.faults.gateway_processes import GatewayLauncher
from tests.support.faults.harness import FaultHarness
from tests.support.server_processes import PostgresServer, run_server


@pytest.mark.postgres
async def test_F5_two_hundred_kills_lose_and_duplicate_nothing(harness: FaultHarness) -> None:
    soak = SoakRun(harness, kill_count=200, seed=20260314)
    verdict = await soak.run()
    assert verdict.is_exactly_once and verdict.accepted_count > 200


@pytest.mark.postgres
async def test_F8_workers_paused_in_mid_delivery_send_nothing_twice_and_keep_late_ids(
    harness: FaultHarness,
) -> None:
    harness.provider.deduplicates = False
    verdict = await PausedSoak(harness, pause_count=3, seed=20261127).run()
    assert verdict.is_exactly_once and (verdict.accepted_count, verdict.unknown_count) == (9, 0)


@pytest.mark.postgres
@pytest.mark.redis
async def test_T30_wishes_on_several_channels_at_once_are_one_consent_and_one_confirmation(
    harness: FaultHarness, redis_url: str
) -> None:
    await harness.seed_demo_data()
    webs = [harness.start_process(role="both", redis_url=redis_url) for _ in range(2)]
    await wait_until_listening(*webs)
    verdict = await WishSoak(harness, webs, (), wish_count=4, seed=1).run()
    assert verdict.is_once_each, verdict


@pytest.mark.postgres
@pytest.mark.redis
async def test_F13_wishes_while_postgres_or_redis_hangs_are_kept_and_made_once(
    launcher: GatewayLauncher,
) -> None:
    with run_server(PostgresServer) as server:
        async with open_soak(launcher, server, hung=True, wishes=3, seed=7) as soak:
            verdict = await soak.run()
    assert verdict.is_once_each, verdict
