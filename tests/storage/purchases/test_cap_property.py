"""The cap, as a property: any order of charges, reservations, refunds and new caps, on both databases.

A model that knows sums only says what each step must come to; the store must agree after every one (B15).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.domain.purchase_records import Charge, ChargeRequest, ChargeState, ChargeStep, PolicyChange, Refund
from storage.purchases.charges import SqlCharges
from storage.purchases.policies import SqlSpendPolicies
from storage.sql.engine import Database
from tests.storage.purchases.test_charges import LIMITS, build_charge
from tests.support.databases import NOW, SECRET

VERBS = ("charge", "reserve", "confirm", "cancel", "wait", "refund", "cap")
STEPS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(1, 1500)), max_size=25)
"""A verb, and a number that is an amount in cents, or chooses an earlier charge."""
HELD_FOR = timedelta(minutes=5)
lines = count(1)


@dataclass(slots=True)
class CapModel:
    """What a line's month must come to: amounts only, no states of charges."""

    cap: Decimal = Decimal(20)
    now: datetime = NOW
    spent: Decimal = Decimal(0)
    held: dict[str, tuple[Decimal, datetime]] = field(default_factory=dict)
    """Reserved amounts by charge, and until when."""
    kept: dict[str, Decimal] = field(default_factory=dict)
    """What is left of each charge that was made."""

    @property
    def held_now(self) -> Decimal:
        return sum((amount for amount, until in self.held.values() if self.now < until), Decimal(0))

    def admits(self, amount: Decimal) -> bool:
        return self.spent + self.held_now + amount <= self.cap

    def make(self, charge_id: str, amount: Decimal) -> None:
        self.spent += amount
        self.kept[charge_id] = amount


class CapLine:
    """One line of a store, driven beside the model of it."""

    def __init__(self, database: Database) -> None:
        self.charges, self.policies = SqlCharges(database, SECRET), SqlSpendPolicies(database, SECRET)
        self.name, self.model, self.numbers = f"line-{next(lines)}", CapModel(), count(1)
        self.known: list[Charge] = []

    async def set_cap(self, cap: Decimal) -> None:
        key = f"{self.name}/{next(self.numbers)}"
        change = PolicyChange(key, "bouygues", self.name, NOW, is_enabled=True, monthly_cap=cap)
        await self.policies.change_policy(change)
        self.model.cap = cap

    async def take_step(self, verb: str, number: int) -> None:
        """Do a step in the store and in the model; AssertionError when they differ in what came of it."""
        if verb in ("charge", "reserve"):
            await self._decide(Decimal(number) / 100, "reserved" if verb == "reserve" else "succeeded")
        elif verb == "wait":
            self.model.now += timedelta(seconds=number % 400)
        elif verb == "cap":
            await self.set_cap(Decimal(number % 40 + 1))
        elif self.known:
            charge = self.known[number % len(self.known)]
            if verb == "refund":
                await self._refund(charge, Decimal(number) / 100)
            else:
                await self._advance(charge, "succeeded" if verb == "confirm" else "cancelled")

    async def sums(self) -> tuple[Decimal, Decimal]:
        month = await self.charges.read_month("bouygues", self.name, "2026-03", self.model.now)
        return month.spent, month.held

    async def _decide(self, amount: Decimal, state: ChargeState) -> None:
        now, may = self.model.now, self.model.admits(amount)
        charge = replace(
            build_charge(str(amount), state, subscription=self.name, created_at=now, changed_at=now),
            reserved_until=now + HELD_FOR if state == "reserved" else None,
        )
        decision = await self.charges.decide_charge(ChargeRequest(charge, LIMITS), lambda _: ())
        assert (decision.charge.state, decision.denial) == ((state, None) if may else ("denied", "cap"))
        self.known.append(charge)
        if may and state == "reserved":
            self.model.held[charge.id] = amount, now + HELD_FOR
        elif may:
            self.model.make(charge.id, amount)

    async def _advance(self, charge: Charge, state: ChargeState) -> None:
        amount, until = self.model.held.get(charge.id, (Decimal(0), self.model.now))
        may = charge.id in self.model.held and (state == "cancelled" or self.model.now < until)
        step = ChargeStep("bouygues", charge.id, ("reserved",), state, self.model.now)
        assert (await self.charges.advance_charge(step, lambda _: ()) is not None) == may
        if may:
            del self.model.held[charge.id]
        if may and state == "succeeded":
            self.model.make(charge.id, amount)

    async def _refund(self, charge: Charge, amount: Decimal) -> None:
        may = amount <= self.model.kept.get(charge.id, Decimal(0))
        key = f"{self.name}/{next(self.numbers)}"
        refund = Refund(
            f"{next(lines):x}-{key}"[:32], "bouygues", charge.id, "parkplus", key, key, "partial", amount, NOW
        )
        decision = await self.charges.refund_charge(refund, lambda decision, made: ())
        assert (decision.refusal is None) == may
        if may:
            self.model.spent -= amount
            self.model.kept[charge.id] -= amount


@given(steps=STEPS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_B15_no_order_of_steps_passes_the_cap(database: Database, steps: list[tuple[str, int]]) -> None:
    line = CapLine(database)
    await line.set_cap(line.model.cap)
    for verb, number in steps:
        before = sum(await line.sums())
        await line.take_step(verb, number)
        spent, held = await line.sums()
        assert (spent, held) == (line.model.spent, line.model.held_now)
        assert spent + held <= max(before, line.model.cap)
