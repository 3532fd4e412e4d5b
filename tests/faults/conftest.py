"""Fixtures for fault tests: gateway processes, a recording provider, an empty PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.faults.gateway_processes import GatewayLauncher, run_launcher
from tests.support.faults.harness import FaultHarness, open_harness


@pytest.fixture(scope="session")
def launcher() -> Iterator[GatewayLauncher]:
    with run_launcher() as made:
        yield made


@pytest.fixture
async def harness(launcher: GatewayLauncher, postgres_database: str) -> AsyncIterator[FaultHarness]:
    async with open_harness(launcher, postgres_database) as made:
        yield made
