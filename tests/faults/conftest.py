"""Fixtures for fault tests: gateway processes, a recording provider, an empty PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.family import Nursery, nursery
from tests.faults.stage import Stage, staged


@pytest.fixture(scope="session")
def launcher() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@pytest.fixture
async def harness(launcher: Nursery, postgres_database: str) -> AsyncIterator[Stage]:
    async with staged(launcher, postgres_database) as made:
        yield made
