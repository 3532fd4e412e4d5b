"""Refunds on SQLite and PostgreSQL: each gives back once, never more than is left of its charge."""

import asyncio
from dataclasses import replace

import pytest

from flows.domain.failures import NotFound
from storage.sql.engine import Database
from tests.storage.purchases.test_charges import PurchaseStore, build_charge
from tests.storage.purchases.test_charges import store as store
from tests.support.databases import NOW, count_rows


async def test_a_refund_is_made_once_and_never_beyond_the_charge(store: PurchaseStore) -> None:
    await store.allow("10")
    charge = (await store.decide(build_charge("8"))).charge

    part, again = await store.refund(charge, "3", "r1"), await store.refund(charge, "3", "r1")
    assert (part.is_new, again.is_new) == (True, False) and again.refund == part.refund
    refusals = [(await store.refund(charge, amount)).refusal for amount in ("5.01", "0", "5", "1")]
    assert refusals == ["amount", "amount", None, "exhausted"] and await store.spent() == (0, 0)
    assert [each.amount for each in await store.charges.list_refunds("bouygues", charge.id)] == [5, 3]


async def test_refunds_at_once_never_pass_the_charge(store: PurchaseStore, database: Database) -> None:
    await store.allow("10")
    charge = (await store.decide(build_charge("8"))).charge
    made = await asyncio.gather(*(store.refund(charge, "3") for _ in range(6)))
    assert [each.refusal for each in made].count(None) == 2 and await store.spent() == (2, 0)
    assert await count_rows(database, "purchase_refunds") == 2


async def test_a_total_refund_gives_back_what_is_left(store: PurchaseStore) -> None:
    await store.allow("10")
    charge = (await store.decide(build_charge("8"))).charge
    await store.refund(charge, "3")
    rest = await store.refund(charge, "0", type="total")
    assert rest.refusal is None and rest.refund.amount == 5
    found = await store.charges.find_charge("bouygues", charge.id)
    assert found and found.refunded == 8 and found.changed_at == NOW  # the day of the purchase stays


async def test_a_charge_that_was_not_made_is_not_refunded(store: PurchaseStore) -> None:
    await store.allow("10")
    reserved = (await store.decide(build_charge("8", "reserved"))).charge
    assert (await store.refund(reserved, "3")).refusal == "status"
    with pytest.raises(NotFound):
        await store.refund(build_charge("8"), "3")


async def test_a_refund_is_noted_as_billed(store: PurchaseStore) -> None:
    await store.allow("10")
    refund = (await store.refund((await store.decide(build_charge("8"))).charge, "3")).refund
    await store.charges.mark_refund_billed("bouygues", refund.id)
    found = await store.charges.find_refund("bouygues", refund.id)
    assert found == replace(refund, is_billed=True)
    assert await store.charges.find_refund("orange-fr", refund.id) is None
