"""Spending of a line: who makes purchases, limits, facts of the month, changes of policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.actions import ActionRequest, OperatorPorts
from flows.domain.failures import NotEligible, Refused
from flows.domain.purchase_ports import Charges, SpendPolicies
from flows.domain.purchase_records import Charge, PolicyChange, PurchaseCategory, PurchaseLimits, SpendPolicy
from flows.domain.purchase_rules import month_of
from flows.domain.records import AuditEntry, OutboundMessage, Subscriber
from flows.services.sim_swap import has_new_sim
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money


@dataclass(frozen=True, slots=True)
class PurchasePorts:
    """The ports that purchases need."""

    policies: SpendPolicies = field(repr=False)
    charges: Charges = field(repr=False)


def purchase_ports(ports: OperatorPorts) -> PurchasePorts:
    """Return the ports that purchases need; NotEligible where there are none."""
    if ports.policies is None or ports.charges is None:
        raise NotEligible
    return PurchasePorts(ports.policies, ports.charges)


def makes_purchases(request: ActionRequest) -> bool:
    """Return whether this operator has purchases on the bill, and for this kind of customer."""
    rules, subscriber = request.menu.config.rules.purchases, request.require_subscriber()
    if rules is None or request.ports.policies is None or request.ports.charges is None:
        return False
    return subscriber.kind == "mobile" and (subscriber.segment == "residential" or rules.businesses)


def limits_of(menu: Menu) -> PurchaseLimits:
    """Return the operator's ceilings; nothing may be bought where its pack has none."""
    rules = menu.config.rules.purchases
    if rules is None:
        return PurchaseLimits(Decimal(0), Decimal(0))
    return PurchaseLimits(rules.per_purchase, rules.per_month, rules.code_from)


async def find_line_policy(request: ActionRequest) -> SpendPolicy | None:
    """Return the policy of the line in question; None when it never chose one."""
    subscriber = request.require_subscriber()
    return await purchase_ports(request.ports).policies.find_policy(subscriber.operator, subscriber.id)


async def month_facts(request: ActionRequest, policy: SpendPolicy | None) -> Facts:
    """Return what was spent this month, the cap, and the highest cap there may be."""
    subscriber, charges = request.require_subscriber(), purchase_ports(request.ports).charges
    period = month_of(request.now, ZoneInfo(request.menu.config.time_zone))
    month = await charges.read_month(subscriber.operator, subscriber.id, period, request.now)
    cap = policy.monthly_cap if policy else Decimal(0)
    return {
        "spent": Money(month.spent),
        "cap": Money(cap),
        "most": Money(limits_of(request.menu).per_month),
    }


async def list_month_charges(request: ActionRequest) -> Sequence[Charge]:
    """Return the line's charges of this month, newest first, refused ones included."""
    subscriber, charges = request.require_subscriber(), purchase_ports(request.ports).charges
    period = month_of(request.now, ZoneInfo(request.menu.config.time_zone))
    return await charges.list_month(subscriber.operator, subscriber.id, period)


async def list_sellers(request: ActionRequest, policy: SpendPolicy | None) -> Sequence[str]:
    """Return the merchants the line blocked or dealt with this month or the month before, by name."""
    subscriber, charges = request.require_subscriber(), purchase_ports(request.ports).charges
    zone = ZoneInfo(request.menu.config.time_zone)
    month_before = month_of(request.now.astimezone(zone).replace(day=1) - timedelta(days=1), zone)
    recent = [
        *await list_month_charges(request),
        *await charges.list_month(subscriber.operator, subscriber.id, month_before),
    ]
    return sorted({each.merchant for each in recent} | (policy.blocked_merchants if policy else frozenset()))


async def list_unlisted_charges(request: ActionRequest) -> Sequence[Charge]:
    """Return this month's purchases that billing does not list: not yet, or because it lists none at all."""
    if not makes_purchases(request):
        return ()
    is_listed = "purchases" in request.ports.billing.capabilities
    found = await list_month_charges(request)
    return [each for each in found if each.state == "succeeded" and not (is_listed and each.is_billed)]


async def find_charge_owner(ports: OperatorPorts, charge: Charge) -> Subscriber | None:
    """Return the subscriber who made a purchase; None once the number has another owner, or none."""
    if not charge.line:
        return None
    try:
        owner = await ports.billing.recheck_subscriber(charge.line)
    except Refused:
        return None
    return owner if owner.id == charge.subscription else None


async def is_loosening_held(request: ActionRequest) -> bool:
    """Return whether the line's SIM was changed so lately that nothing may be loosened, by a fresh read."""
    rules = request.menu.config.rules.purchases
    if rules is None:
        return False
    current = await request.ports.billing.recheck_subscriber(request.line)
    return has_new_sim(current, request.now, timedelta(hours=rules.sim_hours))


def begin_change(
    request: ActionRequest,
    *,
    is_enabled: bool | None = None,
    monthly_cap: Decimal | None = None,
    alerts: tuple[Decimal, ...] | None = None,
    block: frozenset[PurchaseCategory] = frozenset(),
    unblock: frozenset[PurchaseCategory] = frozenset(),
    block_merchant: str = "",
    unblock_merchant: str = "",
) -> PolicyChange:
    """Build a change of the line's policy under the action's idempotency key."""
    subscriber = request.require_subscriber()
    return PolicyChange(
        key=f"{request.key}/policy",
        operator=subscriber.operator,
        subscription=subscriber.id,
        changed_at=request.now,
        is_enabled=is_enabled,
        monthly_cap=monthly_cap,
        alerts=alerts,
        block=block,
        unblock=unblock,
        block_merchant=block_merchant,
        unblock_merchant=unblock_merchant,
    )


async def write_change(
    request: ActionRequest, change: PolicyChange, announced: Facts | None = None
) -> SpendPolicy | None:
    """Make a change; with `announced` the line gets an SMS, so that no change upwards goes unseen."""
    node = request.key.rpartition("/")[2]
    entry = AuditEntry(request.menu.name, request.line, node, request.now, request.channel)
    messages = () if announced is None else (_notice(request, announced),)
    return await purchase_ports(request.ports).policies.change_policy(change, messages, (entry,))


def _notice(request: ActionRequest, facts: Facts) -> OutboundMessage:
    """Build the SMS to the line itself, whoever made the change."""
    return replace(request.build_sms("purchases.changed_notice", facts, "reply"), to=request.line)
