"""Usage and purchases on the bill, read only (F2, B17, B22)."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.purchase_records import PURCHASE_CATEGORIES
from flows.domain.records import UsageEntry
from flows.purchases.spending import list_unlisted_charges, makes_purchases
from menus.model.facts import Count, Fact, Money, Rows, Text, TextRef

USAGE_COLUMNS = ("when", "what", "quantity", "unit")
USAGE_KINDS = frozenset({"call", "data", "text"})
PURCHASE_COLUMNS = ("category", "charge")
MAX_PURCHASES = 200


async def list_usage(request: ActionRequest) -> Outcome:
    """List the last usage records, as many as the screen asks for."""
    account = request.require_subscriber().account
    entries = await request.billing_with("usage").list_entries(account, "usage", int(request.argument))
    return Outcome("ok" if entries else "none", {"usage": Rows(USAGE_COLUMNS, tuple(map(_usage_row, entries)))})


async def list_purchases(request: ActionRequest) -> Outcome:
    """Show the sums of purchases on the bill by category: billing's, and those of this month it does not have.

    Where billing lists no purchases these are all of this month's, from our own records.
    """
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in await _billed_purchases(request):
        sums[entry.kind if entry.kind in PURCHASE_CATEGORIES else "other"] += entry.amount
    for charge in await list_unlisted_charges(request):
        sums[charge.category] += charge.amount - charge.refunded
    rows = tuple(
        (TextRef(f"purchase.{name}"), Money(sums[name])) for name in PURCHASE_CATEGORIES if name in sums
    )
    return Outcome("ok" if rows else "none", {"bought": Rows(PURCHASE_COLUMNS, rows)})


async def _billed_purchases(request: ActionRequest) -> Sequence[UsageEntry]:
    """Return billing's purchases; NotEligible where neither billing nor we have any for this line."""
    account = request.require_subscriber().account
    if "purchases" not in request.ports.billing.capabilities and makes_purchases(request):
        return ()
    return await request.billing_with("purchases").list_entries(account, "purchases", MAX_PURCHASES)


def _usage_row(entry: UsageEntry) -> tuple[Fact, ...]:
    kind = entry.kind if entry.kind in USAGE_KINDS else "other"
    when = Text(f"{entry.at:%d/%m}")
    return when, TextRef(f"usage.{kind}"), Count(entry.quantity), TextRef(f"usage.{kind}_unit")


ACTIONS = {
    "usage.last": define_action(list_usage, "ok none"),
    "purchases.list": define_action(list_purchases, "ok none"),
}
