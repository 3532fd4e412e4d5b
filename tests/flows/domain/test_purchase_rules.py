"""Purchase rules as tables: what is denied and why, what loosens a policy, where months begin."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from flows.domain.purchase_records import (
    Charge,
    ChargeRequest,
    DenialReason,
    MonthlySpending,
    PolicyChange,
    PurchaseLimits,
    SpendPolicy,
)
from flows.domain.purchase_rules import (
    apply_change,
    crossed_thresholds,
    find_denial,
    loosens_policy,
    month_of,
    sum_after,
    sum_month,
)
from tests.storage.purchases.test_charges import build_charge
from tests.support.databases import NOW

PARIS = ZoneInfo("Europe/Paris")
POLICY = SpendPolicy("bouygues", "S1", is_enabled=True, monthly_cap=Decimal(50))
LIMITS = PurchaseLimits(Decimal(50), Decimal(300))
CHANGE = PolicyChange("key", "bouygues", "S1", NOW)


@pytest.mark.parametrize(
    ("policy", "amount", "spent", "held", "denial"),
    [
        (POLICY, "12", "20", "18", None),
        (POLICY, "12.01", "20", "18", "cap"),
        (POLICY, "50", "0", "0", None),
        (POLICY, "50.01", "0", "0", "amount"),
        (None, "1", "0", "0", "unconfigured"),
        (replace(POLICY, is_enabled=False), "1", "0", "0", "blocked"),
        (replace(POLICY, blocked=frozenset({"parking"})), "1", "0", "0", "category"),
        (replace(POLICY, blocked=frozenset({"content"})), "1", "0", "0", None),
        (replace(POLICY, blocked_merchants=frozenset({"parkplus"})), "1", "0", "0", "merchant"),
        (replace(POLICY, monthly_cap=Decimal(900)), "2", "299", "0", "cap"),
        (replace(POLICY, monthly_cap=Decimal(900)), "1", "299", "0", None),
    ],
)
def test_what_is_denied(
    policy: SpendPolicy | None, amount: str, spent: str, held: str, denial: DenialReason | None
) -> None:
    month = MonthlySpending(Decimal(spent), Decimal(held))
    assert find_denial(ChargeRequest(build_charge(amount), LIMITS), policy, month) == denial


@pytest.mark.parametrize("denial", ["ineligible", "sim", "code"])
def test_what_is_against_it_before_is_the_answer(denial: DenialReason) -> None:
    request = ChargeRequest(build_charge("1"), LIMITS, denial)
    assert find_denial(request, POLICY, MonthlySpending(Decimal(0), Decimal(0))) == denial


@pytest.mark.parametrize(
    ("change", "loosens"),
    [
        (replace(CHANGE, monthly_cap=Decimal("50.01")), True),
        (replace(CHANGE, monthly_cap=Decimal(50)), False),
        (replace(CHANGE, block=frozenset({"content"})), False),
        (replace(CHANGE, unblock=frozenset({"parking"})), True),
        (replace(CHANGE, unblock=frozenset({"content"})), False),
        (replace(CHANGE, is_enabled=False), False),
        (replace(CHANGE, is_enabled=True), False),
        (replace(CHANGE, alerts=()), False),
    ],
)
def test_what_loosens_a_policy(change: PolicyChange, *, loosens: bool) -> None:
    assert loosens_policy(replace(POLICY, blocked=frozenset({"parking"})), change) is loosens


def test_switching_on_loosens_and_off_does_not() -> None:
    on, off = replace(CHANGE, is_enabled=True), replace(CHANGE, is_enabled=False)
    assert loosens_policy(None, on) and loosens_policy(replace(POLICY, is_enabled=False), on)
    assert not loosens_policy(None, off)


def test_a_first_change_must_say_on_or_off() -> None:
    assert apply_change(None, replace(CHANGE, monthly_cap=Decimal(10))) is None
    begun = apply_change(None, replace(CHANGE, is_enabled=True, monthly_cap=Decimal(10)))
    assert begun and begun.is_enabled and begun.monthly_cap == 10 and len(begun.open_categories) == 6


def test_a_threshold_is_crossed_when_it_is_reached() -> None:
    alerts = (Decimal(20), Decimal(10))
    assert crossed_thresholds(alerts, Decimal(5), Decimal(20)) == (Decimal(10), Decimal(20))
    assert crossed_thresholds(alerts, Decimal(10), Decimal("19.99")) == ()


def test_a_month_is_what_was_charged_less_refunds_and_what_is_held() -> None:
    charges = [
        build_charge("8", refunded=Decimal(3)),
        build_charge("2", "reserved"),
        build_charge("4", "reserved", reserved_until=NOW),
        build_charge("9", "denied"),
        build_charge("7", "cancelled"),
    ]
    assert sum_month(charges, NOW) == MonthlySpending(Decimal(5), Decimal(2))


@pytest.mark.parametrize(
    ("earlier", "charge"),
    [
        (None, build_charge("8")),
        (None, build_charge("9", "denied")),
        (build_charge("8", "reserved"), build_charge("8")),
        (build_charge("8", "reserved"), build_charge("8", "cancelled")),
        (build_charge("8", "reserved", reserved_until=NOW), build_charge("8", "cancelled")),
        (build_charge("8"), build_charge("8", refunded=Decimal(3))),
    ],
)
def test_a_month_after_a_step_is_the_sum_of_its_charges_as_they_are_then(
    earlier: Charge | None, charge: Charge
) -> None:
    others = [build_charge("5"), build_charge("2", "reserved")]
    before = sum_month([*others, *([earlier] if earlier else [])], NOW)
    assert sum_after(before, charge, earlier, NOW) == sum_month([*others, charge], NOW)


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 3, 31, 21, 59, tzinfo=UTC), "2026-03"),
        (datetime(2026, 3, 31, 22, 0, tzinfo=UTC), "2026-04"),
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), "2026-12"),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "2027-01"),
        (datetime(2026, 10, 31, 22, 59, tzinfo=UTC), "2026-10"),
        (datetime(2026, 10, 31, 23, 0, tzinfo=UTC) - timedelta(microseconds=1), "2026-10"),
    ],
)
def test_months_begin_at_midnight_of_the_operator(moment: datetime, month: str) -> None:
    assert month_of(moment, PARIS) == month
