"""Sellers of purchases on the bill: which merchants a line dealt with, block one, open it again (B14)."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.purchases.spending import (
    begin_change,
    find_line_policy,
    is_loosening_held,
    list_sellers,
    makes_purchases,
    month_facts,
    write_change,
)
from menus.model.facts import Rows, Text, TextRef
from menus.text.input_parsing import fold_word

SELLER_COLUMNS = ("seller", "category_state")
CLOSED = Outcome("closed")


async def show_sellers(request: ActionRequest) -> Outcome:
    """List the merchants of this month and the month before, each open or blocked."""
    if not makes_purchases(request):
        return CLOSED
    policy = await find_line_policy(request)
    if policy is None:
        return Outcome("new", await month_facts(request, None))
    rows = tuple(
        (Text(name), TextRef(f"purchase_state.{'blocked' if name in policy.blocked_merchants else 'open'}"))
        for name in await list_sellers(request, policy)
    )
    return Outcome("ok" if rows else "none", {"sellers": Rows(SELLER_COLUMNS, rows)})


async def toggle_seller(request: ActionRequest) -> Outcome:
    """Block the picked merchant at once; `raise` to open a blocked one, done with the argument `allow`."""
    if not makes_purchases(request):
        return CLOSED
    policy, picked = await find_line_policy(request), request.facts.get("seller")
    if policy is None or not isinstance(picked, Text):
        return Outcome("new", await month_facts(request, policy))
    if request.argument == "allow":
        return await change_seller(request, picked.value, is_open=True)
    if picked.value in policy.blocked_merchants:
        return Outcome("raise")
    return await change_seller(request, picked.value, is_open=False)


async def find_seller(request: ActionRequest, word: str) -> str | None:
    """Return the merchant of the line that a word names; None for any other word."""
    policy = await find_line_policy(request)
    found = await list_sellers(request, policy)
    return next((each for each in found if fold_word(each) == fold_word(word)), None)


async def change_seller(request: ActionRequest, seller: str, *, is_open: bool) -> Outcome:
    """Block or open a merchant of the line; `new` for a line that never chose its limits."""
    if is_open and await is_loosening_held(request):
        return Outcome("held")
    blocked, opened = ("", seller) if is_open else (seller, "")
    change = begin_change(request, block_merchant=blocked, unblock_merchant=opened)
    if await write_change(request, change) is None:
        return Outcome("new", await month_facts(request, None))
    return Outcome("ok", {"seller": Text(seller)})


ACTIONS = {
    "sellers.list": define_action(show_sellers, "ok none new closed"),
    "sellers.toggle": define_action(toggle_seller, "ok raise new held closed"),
}
