"""Purchase settings: first choice, monthly cap, alerts, categories (B12 to B16)."""

from dataclasses import replace
from decimal import Decimal
from typing import cast

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.purchase_records import PURCHASE_CATEGORIES, PurchaseCategory, SpendPolicy
from flows.domain.purchase_rules import loosens_policy
from flows.purchases.category_words import find_category, names_all_categories
from flows.purchases.spending import (
    begin_change,
    find_line_policy,
    is_loosening_held,
    limits_of,
    makes_purchases,
    month_facts,
    write_change,
)
from flows.selfcare.sellers import change_seller, find_seller
from menus.model.facts import Fact, Facts, Money, Rows, TextRef
from menus.text.input_parsing import parse_amount

CATEGORY_COLUMNS = ("category", "category_state")
CLOSED, HELD, NEW = Outcome("closed"), Outcome("held"), "new"
"""`held`: after a SIM swap nothing is loosened for the pack's `sim_hours`, whoever knows the secret."""


async def start_settings(request: ActionRequest) -> Outcome:
    """Show what the line allows; `new` when it never chose, `off` when purchases are switched off."""
    if not makes_purchases(request):
        return CLOSED
    policy = await find_line_policy(request)
    facts = await month_facts(request, policy)
    if policy is None:
        return Outcome(NEW, facts)
    return Outcome("ok" if policy.is_enabled else "off", facts)


async def choose_cap(request: ActionRequest) -> Outcome:
    """Lower the cap at once; `raise` for a higher one, which needs a secret.

    `new` for a line that never had one, `off` while everything is blocked.
    """
    if not makes_purchases(request):
        return CLOSED
    policy, cap = await find_line_policy(request), _parse_amount(request)
    facts = await month_facts(request, policy)
    if cap is None or not 0 < cap <= limits_of(request.menu).per_month:
        return Outcome("wrong", facts)
    facts = {**facts, "cap": Money(cap)}
    change = begin_change(request, monthly_cap=cap)
    if policy is None or not policy.monthly_cap:
        return Outcome(NEW, facts)
    if not policy.is_enabled:
        return Outcome("off", facts)
    if loosens_policy(policy, change):
        return Outcome("raise", facts)
    await write_change(request, change)
    spent = facts["spent"]
    return Outcome("over" if isinstance(spent, Money) and cap <= spent.amount else "ok", facts)


async def raise_cap(request: ActionRequest) -> Outcome:
    """Set the higher cap that was typed before the secret, and tell the line by SMS."""
    if not makes_purchases(request):
        return CLOSED
    if await is_loosening_held(request):
        return HELD
    facts = await month_facts(request, await find_line_policy(request))
    cap = _kept_cap(request)
    raised = await write_change(request, begin_change(request, monthly_cap=cap), {"cap": Money(cap)})
    return Outcome("ok", {**facts, "cap": Money(cap)}) if raised else CLOSED


async def configure_purchases(request: ActionRequest) -> Outcome:
    """Switch purchases on for the first time, with the cap typed before and the alert typed now (B13)."""
    if not makes_purchases(request):
        return CLOSED
    alert = _parse_amount(request)
    if alert is None:
        return Outcome("wrong")
    if await is_loosening_held(request):
        return HELD
    cap = _kept_cap(request)
    change = begin_change(request, is_enabled=True, monthly_cap=cap, alerts=_alerts(alert))
    await write_change(request, change, {"cap": Money(cap)})
    return Outcome("ok", {"cap": Money(cap)})


async def choose_alert(request: ActionRequest) -> Outcome:
    """Set the sum from which the line is alerted; `silent` for 0, no alert (B16)."""
    if not makes_purchases(request):
        return CLOSED
    alert = Decimal(request.argument) if request.argument else _parse_amount(request)
    if alert is None or alert > limits_of(request.menu).per_month:
        return Outcome("wrong")
    if await write_change(request, begin_change(request, alerts=_alerts(alert))) is None:
        return Outcome(NEW, await month_facts(request, None))
    return Outcome("ok", {"alert": Money(alert)}) if alert else Outcome("silent")


async def list_categories(request: ActionRequest) -> Outcome:
    """List the categories, each open or blocked (B14)."""
    if not makes_purchases(request):
        return CLOSED
    policy = await find_line_policy(request)
    if policy is None:
        return Outcome(NEW, await month_facts(request, None))
    rows = tuple(_category_row(policy, each) for each in PURCHASE_CATEGORIES)
    return Outcome("ok", {"categories": Rows(CATEGORY_COLUMNS, rows)})


async def toggle_category(request: ActionRequest) -> Outcome:
    """Block the picked category at once; `raise` to open a blocked one, done with the argument `allow`."""
    if not makes_purchases(request):
        return CLOSED
    policy, picked = await find_line_policy(request), request.facts.get("category")
    if policy is None or not isinstance(picked, TextRef):
        return Outcome(NEW, await month_facts(request, policy))
    category = cast(PurchaseCategory, picked.last_part)
    if request.argument == "allow":
        return await _change_category(request, category, is_open=True)
    if category in policy.blocked:
        return Outcome("raise")
    return await _change_category(request, category, is_open=False)


async def switch_purchases(request: ActionRequest) -> Outcome:
    """Block every purchase, or allow them again within the cap there was."""
    if not makes_purchases(request):
        return CLOSED
    policy = await find_line_policy(request)
    if request.argument == "off":
        await write_change(request, begin_change(request, is_enabled=False))
        return Outcome("ok")
    if policy is None or not policy.monthly_cap:
        return Outcome(NEW, await month_facts(request, policy))
    if await is_loosening_held(request):
        return HELD
    cap: Facts = {"cap": Money(policy.monthly_cap)}
    await write_change(request, begin_change(request, is_enabled=True), cap)
    return Outcome("ok", cap)


async def change_named_category(request: ActionRequest) -> Outcome:
    """Block or open what a word names: a category, all, or a merchant of the line (B14); else `wrong`."""
    if not makes_purchases(request):
        return CLOSED
    if names_all_categories(request.menu, request.input_text):
        switch = await switch_purchases(
            replace(request, argument="off" if request.argument == "block" else "on")
        )
        return Outcome("all", switch.facts) if switch.name == "ok" else switch
    is_open, found = request.argument == "allow", find_category(request.menu, request.input_text)
    if found is not None:
        return await _change_category(request, found, is_open=is_open)
    seller = await find_seller(request, request.input_text)
    if seller is None:
        return Outcome("wrong")
    change = await change_seller(request, seller, is_open=is_open)
    return Outcome("seller", change.facts) if change.name == "ok" else change


async def _change_category(request: ActionRequest, category: PurchaseCategory, *, is_open: bool) -> Outcome:
    if is_open and await is_loosening_held(request):
        return HELD
    name, categories = TextRef(f"purchase.{category}"), frozenset({category})
    change = begin_change(request, unblock=categories) if is_open else begin_change(request, block=categories)
    if await write_change(request, change) is None:
        return Outcome(NEW, await month_facts(request, None))
    return Outcome("ok", {"category": name})


def _category_row(policy: SpendPolicy, category: PurchaseCategory) -> tuple[Fact, ...]:
    state = "blocked" if category in policy.blocked else "open"
    return TextRef(f"purchase.{category}"), TextRef(f"purchase_state.{state}")


def _parse_amount(request: ActionRequest) -> Decimal | None:
    return parse_amount(request.input_text, request.menu.config.currency.decimals)


def _kept_cap(request: ActionRequest) -> Decimal:
    """Return the cap that waits in the session, never above the ceiling."""
    kept, most = request.facts.get("cap"), limits_of(request.menu).per_month
    return min(kept.amount, most) if isinstance(kept, Money) else Decimal(0)


def _alerts(alert: Decimal) -> tuple[Decimal, ...]:
    return (alert,) if alert else ()


ACTIONS = {
    "purchases.start": define_action(start_settings, "ok off new closed"),
    "purchases.cap": define_action(choose_cap, "ok over off raise new wrong closed"),
    "purchases.raise": define_action(raise_cap, "ok held closed"),
    "purchases.configure": define_action(configure_purchases, "ok wrong held closed"),
    "purchases.alert": define_action(choose_alert, "ok silent new wrong closed"),
    "purchases.categories": define_action(list_categories, "ok new closed"),
    "purchases.toggle": define_action(toggle_category, "ok raise new held closed"),
    "purchases.switch": define_action(switch_purchases, "ok new held closed"),
    "purchases.named": define_action(change_named_category, "ok all seller new wrong held closed"),
}
