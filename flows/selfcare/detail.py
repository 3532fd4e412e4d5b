"""Bill detail: charges by user and by rubric, and the pro-rata part that explains the amount."""

from collections import defaultdict
from decimal import Decimal

from flows.domain.actions import Ask, Outcome, action
from flows.selfcare.invoice import by_rubric, picked
from menus.model.facts import Count, Money, Number, Rows

USERS = ("user", "share")
MOST_USERS = 99
"""Most users listed: options of two digits."""


async def users(ask: Ask) -> Outcome:
    """List the users on the bill, each with the sum of their charges (B3, M13)."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in await ask.world.billing.lines(ask.known().account, picked(ask)):
        sums[line.user] += line.amount
    rows = tuple((Number(user), Money(amount)) for user, amount in sums.items())
    return Outcome("ok" if rows else "none", {"users": Rows(USERS, rows[:MOST_USERS])})


async def of_user(ask: Ask) -> Outcome:
    """Show one user's charges by rubric (B3)."""
    lines = await ask.world.billing.lines(ask.known().account, picked(ask))
    user = ask.facts["user"]
    number = user.value if isinstance(user, Number) else ""
    return Outcome("ok", by_rubric([line for line in lines if line.user == number]))


async def why(ask: Ask) -> Outcome:
    """Show the pro-rata month on the bill (B7); `whole` when every month is charged in full."""
    lines = await ask.world.billing.lines(ask.known().account, picked(ask))
    part = next((line for line in lines if line.days), None)
    if part is None:
        return Outcome("whole")
    days = {"days": Count(part.days), "of_days": Count(part.of_days)}
    return Outcome("ok", {**by_rubric(lines), **days})


ACTIONS = {
    "invoice.users": action(users, "ok none"),
    "invoice.user": action(of_user, "ok"),
    "invoice.why": action(why, "ok whole"),
}
