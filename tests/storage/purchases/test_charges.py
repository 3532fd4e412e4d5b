"""Charges and policies on SQLite and PostgreSQL: the cap holds, each correlator charges once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from flows.domain.purchase_records import (
    Charge,
    ChargeDecision,
    ChargeRequest,
    ChargeState,
    ChargeStep,
    PolicyChange,
    PurchaseLimits,
    Refund,
    RefundDecision,
    RefundType,
)
from flows.domain.records import DeferredStep
from storage.privacy.data_map import DataSubject
from storage.privacy.export_erase import SqlPrivacy
from storage.purchases.charges import SqlCharges
from storage.purchases.policies import SqlSpendPolicies
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows, dump_table

LIMITS = PurchaseLimits(Decimal(50), Decimal(300))
NUMBER = "+33660000101"
ids = count(1)


def build_charge(amount: str, state: ChargeState = "succeeded", **other: Any) -> Charge:
    number = next(ids)
    charge = Charge(
        id=f"{number:032x}",
        operator="bouygues",
        subscription="S1",
        account="A1",
        line=NUMBER,
        merchant="parkplus",
        correlator=f"c-{number}",
        reference=f"ref-{number}",
        category="parking",
        label="Zone 2",
        amount=Decimal(amount),
        currency="EUR",
        state=state,
        period="2026-03",
        created_at=NOW,
        changed_at=NOW,
        reserved_until=NOW + timedelta(minutes=5) if state == "reserved" else None,
    )
    return replace(charge, **other)


def follow(decision: ChargeDecision) -> tuple[DeferredStep, ...]:
    return (
        DeferredStep(f"{decision.charge.id}/told", "bouygues", "purchase.tell", b"", NOW + timedelta(days=1)),
    )


class PurchaseStore:
    """Both stores on one database, with short names for what the tests do."""

    def __init__(self, database: Database) -> None:
        self.policies, self.charges = SqlSpendPolicies(database, SECRET), SqlCharges(database, SECRET)

    async def allow(self, cap: str = "50", *alerts: str, **other: Any) -> None:
        thresholds = tuple(map(Decimal, alerts))
        change = PolicyChange(
            f"k{next(ids)}", "bouygues", "S1", NOW, is_enabled=True, monthly_cap=Decimal(cap), alerts=thresholds
        )
        await self.policies.change_policy(replace(change, **other))

    async def decide(self, charge: Charge) -> ChargeDecision:
        return await self.charges.decide_charge(ChargeRequest(charge, LIMITS), follow)

    async def step(
        self, charge: Charge, state: ChargeState, at: datetime = NOW, *expected: ChargeState
    ) -> ChargeDecision | None:
        step = ChargeStep("bouygues", charge.id, expected or ("reserved",), state, at)
        return await self.charges.advance_charge(step, follow)

    async def refund(
        self, charge: Charge, amount: str, correlator: str = "", type: RefundType = "partial"
    ) -> RefundDecision:
        number = next(ids)
        refund = Refund(
            id=f"{number:032x}",
            operator="bouygues",
            charge_id=charge.id,
            merchant=charge.merchant,
            correlator=correlator or f"r-{number}",
            reference=f"ref-{number}",
            type=type,
            amount=Decimal(amount),
            created_at=NOW + timedelta(minutes=number),
        )
        return await self.charges.refund_charge(refund, lambda decision, made: follow(decision))

    async def spent(self, at: datetime = NOW) -> tuple[Any, Any]:
        month = await self.charges.read_month("bouygues", "S1", "2026-03", at)
        return month.spent, month.held


@pytest.fixture
def store(database: Database) -> PurchaseStore:
    return PurchaseStore(database)


async def test_parallel_charges_never_pass_the_cap(store: PurchaseStore) -> None:
    await store.allow("10")
    decisions = await asyncio.gather(*(store.decide(build_charge("1.30")) for _ in range(20)))
    assert [each.charge.state for each in decisions].count("succeeded") == 7
    assert await store.spent() == (Decimal("9.10"), 0)


async def test_parallel_reservations_and_charges_share_the_cap(store: PurchaseStore) -> None:
    await store.allow("10")
    states: list[ChargeState] = ["reserved", "succeeded"] * 10
    await asyncio.gather(*(store.decide(build_charge("3", state)) for state in states))
    assert sum(await store.spent()) == 9


async def test_charges_of_several_processes_never_pass_the_cap(
    store: PurchaseStore, database: Database
) -> None:
    await store.allow("10")
    others = [SqlCharges(database, SECRET) for _ in range(5)]
    requests = [ChargeRequest(build_charge("3"), LIMITS) for _ in range(20)]
    await asyncio.gather(*(_decide_in_turn(each, requests[index::5]) for index, each in enumerate(others)))
    assert await store.spent() == (9, 0)


async def _decide_in_turn(charges: SqlCharges, requests: list[ChargeRequest]) -> None:
    for request in requests:
        await charges.decide_charge(request, follow)


async def test_a_charge_to_the_last_cent_of_the_cap_is_made(store: PurchaseStore) -> None:
    await store.allow("10")
    assert (await store.decide(build_charge("10.00"))).charge.state == "succeeded"
    denied = (await store.decide(build_charge("0.01"))).charge
    assert (denied.state, denied.reason) == ("denied", "cap")


async def test_a_correlator_charges_once(store: PurchaseStore, database: Database) -> None:
    await store.allow()
    first = build_charge("2")
    again = build_charge("3", correlator=first.correlator)
    decisions = await asyncio.gather(*(store.decide(each) for each in (first, again)))
    assert sorted(each.is_new for each in decisions) == [False, True]
    assert decisions[0].charge == decisions[1].charge
    assert await count_rows(database, "outbox") == await count_rows(database, "purchase_charges") == 1


async def test_a_line_without_a_policy_buys_nothing(store: PurchaseStore) -> None:
    decision = await store.decide(build_charge("1"))
    assert (decision.charge.state, decision.charge.reason, decision.policy) == ("denied", "unconfigured", None)


async def test_a_reservation_holds_and_lapses(store: PurchaseStore) -> None:
    await store.allow("10")
    await store.decide(build_charge("8", "reserved"))
    assert (await store.decide(build_charge("3"))).charge.reason == "cap"
    later = NOW + timedelta(minutes=5)
    assert await store.spent(later) == (0, 0)
    assert (await store.decide(build_charge("3", created_at=later))).charge.state == "succeeded"


async def test_a_confirmed_reservation_is_spent(store: PurchaseStore) -> None:
    await store.allow("10", "5")
    reserved = (await store.decide(build_charge("8", "reserved"))).charge
    confirmed = await store.step(reserved, "succeeded")
    assert confirmed and confirmed.crossed == (Decimal(5),) and await store.spent() == (8, 0)
    assert await store.step(reserved, "succeeded") is None
    assert await store.step(reserved, "cancelled") is None


async def test_a_lapsed_reservation_is_not_confirmed(store: PurchaseStore) -> None:
    await store.allow()
    reserved = (await store.decide(build_charge("8", "reserved"))).charge
    assert await store.step(reserved, "succeeded", NOW + timedelta(minutes=5)) is None


async def test_a_cancelled_reservation_frees_its_amount(store: PurchaseStore) -> None:
    await store.allow("10")
    reserved = (await store.decide(build_charge("8", "reserved"))).charge
    assert await store.step(reserved, "cancelled") and await store.spent() == (0, 0)
    assert await store.step(reserved, "succeeded") is None


async def test_an_alert_is_set_off_once_a_month(store: PurchaseStore) -> None:
    await store.allow("50", "10", "20")
    first = await store.decide(build_charge("12"))
    assert first.crossed == (Decimal(10),)
    await store.refund(first.charge, "12")
    assert (await store.decide(build_charge("25"))).crossed == (Decimal(20),)
    april = build_charge("11", period="2026-04")
    assert (await store.decide(april)).crossed == (Decimal(10),)


async def test_a_policy_changes_by_parts_and_once_per_key(store: PurchaseStore) -> None:
    await store.allow("30", "20")
    change = PolicyChange("key", "bouygues", "S1", NOW, block=frozenset({"content"}))
    await store.policies.change_policy(change)
    await store.policies.change_policy(replace(change, key="other", block=frozenset(), monthly_cap=Decimal(5)))
    await store.policies.change_policy(replace(change, monthly_cap=Decimal(300)))
    policy = await store.policies.find_policy("bouygues", "S1")
    assert policy and policy.is_enabled and policy.blocked == {"content"}
    assert (policy.monthly_cap, policy.alerts) == (Decimal(5), (Decimal(20),))


async def test_a_change_alone_begins_no_policy(store: PurchaseStore) -> None:
    change = PolicyChange("key", "bouygues", "S1", NOW, monthly_cap=Decimal(300))
    assert await store.policies.change_policy(change) is None
    assert await store.policies.find_policy("bouygues", "S1") is None


async def test_a_merchant_sees_its_own_charges(store: PurchaseStore) -> None:
    await store.allow()
    mine = (await store.decide(build_charge("1"))).charge
    await store.decide(build_charge("1", merchant="other"))
    day = timedelta(days=1)
    listed = await store.charges.list_merchant_charges("bouygues", "parkplus", NOW - day, NOW + day, 10)
    assert list(listed) == [mine]
    assert await store.charges.find_charge("bouygues", mine.id) == mine
    assert await store.charges.find_charge("orange-fr", mine.id) is None


async def test_the_number_is_stored_encrypted(store: PurchaseStore, database: Database) -> None:
    await store.allow()
    charge = (await store.decide(build_charge("1"))).charge
    found = await store.charges.find_charge("bouygues", charge.id)
    assert found and found.line == NUMBER
    assert NUMBER[1:] not in await dump_table(database, "purchase_charges")


async def test_billing_is_noted(store: PurchaseStore) -> None:
    await store.allow()
    charge = (await store.decide(build_charge("1"))).charge
    await store.charges.mark_billed("bouygues", charge.id)
    found = await store.charges.find_charge("bouygues", charge.id)
    assert found and found.is_billed


async def test_erasing_a_line_deletes_its_limits_and_keeps_charges_without_it(
    store: PurchaseStore, database: Database
) -> None:
    await store.allow("50", "5")
    await store.decide(build_charge("6"))
    subject = DataSubject("bouygues", NUMBER, "S1")
    exported = await SqlPrivacy(database, SECRET).export(subject)
    assert {"spend_policies", "purchase_charges", "purchase_alerts"} <= {
        n for n, rows in exported.items() if rows
    }
    await SqlPrivacy(database, SECRET).erase(subject, (), confirmed=True)
    assert await count_rows(database, "spend_policies") == await count_rows(database, "purchase_alerts") == 0
    assert "S1" not in await dump_table(database, "purchase_charges")
    assert await count_rows(database, "purchase_charges") == 1
