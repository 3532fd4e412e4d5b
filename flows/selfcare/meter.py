"""Usage meter: minutes, data and messages used and left in the current period (R16)."""

from flows.domain.account_activity import Allowance, account_activity
from flows.domain.actions import ActionRequest, Outcome, define_action
from menus.model.facts import Count, Fact, Rows, TextRef

METER_COLUMNS = ("meter", "used", "left")


async def show_meter(request: ActionRequest) -> Outcome:
    """Show what the line has used of each allowance, and what is left."""
    subscriber = request.require_subscriber()
    billing = account_activity(request.billing_with("meter"))
    allowances = await billing.list_allowances(subscriber.account, subscriber.msisdn)
    rows = tuple(map(_meter_row, allowances))
    return Outcome("ok" if rows else "none", {"allowances": Rows(METER_COLUMNS, rows)})


def _meter_row(allowance: Allowance) -> tuple[Fact, ...]:
    """Return a row whose first column names the text of the whole row; `left` is 0 where none is told."""
    text = f"meter.{allowance.kind}{_text_ending(allowance)}"
    return TextRef(text), Count(allowance.used), Count(allowance.amount_left or 0)


def _text_ending(allowance: Allowance) -> str:
    if allowance.is_unlimited:
        return "_unlimited"
    return "_used" if allowance.amount_left is None else ""


ACTIONS = {"meter.show": define_action(show_meter, "ok none", capability="meter")}
