"""Bill detail: charges by user and by rubric, and the pro-rata part that explains the amount."""

from collections import defaultdict
from decimal import Decimal

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.selfcare.invoice import charges_by_rubric, selected_bill
from menus.model.facts import Count, Money, PhoneNumber, Rows

USER_COLUMNS = ("user", "share")
MAX_USERS = 99
"""Most users listed: options of two digits."""


async def list_users(request: ActionRequest) -> Outcome:
    """List the users on the bill, each with the sum of their charges (B3, M13)."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in await request.ports.billing.list_bill_lines(
        request.require_subscriber().account, selected_bill(request)
    ):
        sums[line.user] += line.amount
    rows = tuple((PhoneNumber(user), Money(amount)) for user, amount in sums.items())
    return Outcome("ok" if rows else "none", {"users": Rows(USER_COLUMNS, rows[:MAX_USERS])})


async def show_user_charges(request: ActionRequest) -> Outcome:
    """Show one user's charges by rubric (B3)."""
    lines = await request.ports.billing.list_bill_lines(
        request.require_subscriber().account, selected_bill(request)
    )
    user = request.facts["user"]
    number = user.value if isinstance(user, PhoneNumber) else ""
    return Outcome("ok", charges_by_rubric([line for line in lines if line.user == number]))


async def explain_prorata(request: ActionRequest) -> Outcome:
    """Show the pro-rata month on the bill (B7); `whole` when every month is charged in full."""
    lines = await request.ports.billing.list_bill_lines(
        request.require_subscriber().account, selected_bill(request)
    )
    part = next((line for line in lines if line.days), None)
    if part is None:
        return Outcome("whole")
    days = {"days": Count(part.days), "of_days": Count(part.of_days)}
    return Outcome("ok", {**charges_by_rubric(lines), **days})


ACTIONS = {
    "invoice.users": define_action(list_users, "ok none"),
    "invoice.user": define_action(show_user_charges, "ok"),
    "invoice.why": define_action(explain_prorata, "ok whole"),
}
