"""Slot leases: one owner at a time, on every database."""

import asyncio
from datetime import timedelta

import pytest

from gateway.dialogs.player import ManualClock
from storage.links.slot_leases import SLOT_LEASE, LinkSlot, SqlSlotLeases
from storage.sql.engine import Database
from tests.support.databases import NOW
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url

SLOT = LinkSlot("orange-ro", "smpp", 0)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


async def test_a_slot_has_one_owner(database: Database, clock: ManualClock) -> None:
    first, second = (SqlSlotLeases(database, owner, clock) for owner in ("a", "b"))
    assert await first.take_slot(SLOT) == 1
    assert await second.take_slot(SLOT) is None
    assert await second.take_slot(LinkSlot("orange-ro", "smpp", 1)) == 1


async def test_of_many_that_take_it_at_once_one_has_it(database: Database, clock: ManualClock) -> None:
    many = [SqlSlotLeases(database, f"p{number}", clock) for number in range(8)]
    fences = await asyncio.gather(*(each.take_slot(SLOT) for each in many))
    assert [fence for fence in fences if fence] == [1]


async def test_a_renewed_slot_is_not_passed_on(database: Database, clock: ManualClock) -> None:
    first, second = (SqlSlotLeases(database, owner, clock) for owner in ("a", "b"))
    await first.take_slot(SLOT)
    clock.advance(SLOT_LEASE - SECOND)
    assert await first.renew_slot(SLOT, 1)
    clock.advance(SLOT_LEASE - SECOND)
    assert await second.take_slot(SLOT) is None


async def test_a_lease_that_ran_out_passes_and_its_number_is_refused(
    database: Database, clock: ManualClock
) -> None:
    first, second = (SqlSlotLeases(database, owner, clock) for owner in ("a", "b"))
    await first.take_slot(SLOT)
    clock.advance(SLOT_LEASE)
    assert not await first.renew_slot(SLOT, 1)
    assert await second.take_slot(SLOT) == 2
    await first.free_slot(SLOT, 1)
    assert await first.take_slot(SLOT) is None
    assert await second.renew_slot(SLOT, 2)


async def test_a_freed_slot_is_taken_at_once(database: Database, clock: ManualClock) -> None:
    first, second = (SqlSlotLeases(database, owner, clock) for owner in ("a", "b"))
    await first.take_slot(SLOT)
    await first.free_slot(SLOT, 1)
    assert await second.take_slot(SLOT) == 2


async def test_a_process_that_comes_back_takes_its_own_slot_with_a_new_number(
    database: Database, clock: ManualClock
) -> None:
    leases = SqlSlotLeases(database, "a", clock)
    assert [await leases.take_slot(SLOT), await leases.take_slot(SLOT)] == [1, 2]
    assert not await leases.renew_slot(SLOT, 1)
