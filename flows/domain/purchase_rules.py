"""Purchase rules: pure functions that say what is against a charge, and how a policy changes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.purchase_records import (
    Charge,
    ChargeRequest,
    DenialReason,
    MonthlySpending,
    PolicyChange,
    RefundRefusal,
    SpendPolicy,
)


def find_denial(
    request: ChargeRequest, policy: SpendPolicy | None, spending: MonthlySpending
) -> DenialReason | None:
    """Return the first thing that is against a charge; None when it may be made."""
    if request.is_made:
        return None
    if request.denial == "ineligible" or policy is None:
        return request.denial or "unconfigured"
    if not policy.is_enabled:
        return "blocked"
    charge, limits = request.charge, request.limits
    if charge.category in policy.blocked:
        return "category"
    if charge.merchant in policy.blocked_merchants:
        return "merchant"
    if charge.amount > limits.per_purchase:
        return "amount"
    if spending.spent + spending.held + charge.amount > min(policy.monthly_cap, limits.per_month):
        return "cap"
    return request.denial


def find_refund_refusal(charge: Charge, amount: Decimal) -> RefundRefusal | None:
    """Return what is against giving an amount of a charge back; None when it may be given."""
    if charge.state != "succeeded":
        return "status"
    left = charge.amount - charge.refunded
    if left <= 0:
        return "exhausted"
    return None if 0 < amount <= left else "amount"


def sum_month(charges: Iterable[Charge], now: datetime) -> MonthlySpending:
    """Return what the charges of one month come to; a reservation that has lapsed holds nothing."""
    spent = held = Decimal(0)
    for charge in charges:
        if charge.state == "succeeded":
            spent += charge.amount - charge.refunded
        elif charge.holds_amount(now):
            held += charge.amount
    return MonthlySpending(spent, held)


def sum_after(
    before: MonthlySpending, charge: Charge, earlier: Charge | None, now: datetime
) -> MonthlySpending:
    """Return what a month comes to once it has `charge`, in place of `earlier` if there was one."""
    own, replaced = sum_month((charge,), now), sum_month((earlier,) if earlier else (), now)
    return MonthlySpending(before.spent + own.spent - replaced.spent, before.held + own.held - replaced.held)


def crossed_thresholds(alerts: Sequence[Decimal], before: Decimal, after: Decimal) -> tuple[Decimal, ...]:
    """Return the thresholds that the month's sum has just reached (B16)."""
    return tuple(sorted(each for each in alerts if before < each <= after))


def apply_change(policy: SpendPolicy | None, change: PolicyChange) -> SpendPolicy | None:
    """Return the policy after a change; None when the line has none and the change does not begin one.

    The first choice of a line says whether purchases are on (B13): other changes need a policy.
    """
    if policy is None:
        if change.is_enabled is None:
            return None
        policy = SpendPolicy(change.operator, change.subscription, change.is_enabled, Decimal(0))
    return SpendPolicy(
        operator=policy.operator,
        subscription=policy.subscription,
        is_enabled=policy.is_enabled if change.is_enabled is None else change.is_enabled,
        monthly_cap=policy.monthly_cap if change.monthly_cap is None else change.monthly_cap,
        alerts=policy.alerts if change.alerts is None else change.alerts,
        blocked=(policy.blocked | change.block) - change.unblock,
        blocked_merchants=(policy.blocked_merchants | ({change.block_merchant} - {""}))
        - {change.unblock_merchant},
    )


def loosens_policy(policy: SpendPolicy | None, change: PolicyChange) -> bool:
    """Return whether a change lets more be bought than before: it needs a secret of the subscriber."""
    if policy is None:
        return bool(change.is_enabled)
    cap = change.monthly_cap
    raises_cap = cap is not None and cap > policy.monthly_cap
    switches_on = bool(change.is_enabled) and not policy.is_enabled
    opens_merchant = change.unblock_merchant in policy.blocked_merchants
    return raises_cap or switches_on or opens_merchant or bool(change.unblock & policy.blocked)


def month_of(moment: datetime, zone: ZoneInfo) -> str:
    """Return the month a moment lies in, in the operator's time zone, as YYYY-MM."""
    return f"{moment.astimezone(zone):%Y-%m}"
