"""Purchase settings on the bill page: cap, alert and categories of the line that logged in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from flows.domain.actions import ActionRequest
from flows.domain.failures import Failure
from flows.domain.purchase_records import PURCHASE_CATEGORIES, PolicyChange, SpendPolicy
from flows.domain.purchase_rules import loosens_policy
from flows.purchases.spending import (
    begin_change,
    find_line_policy,
    is_loosening_held,
    limits_of,
    list_month_charges,
    list_sellers,
    makes_purchases,
    month_facts,
    write_change,
)
from gateway.pages.action_request import build_action_request
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest
from gateway.purchases.merchant_settings import MERCHANT_PATTERN
from menus.model.facts import Facts, Money
from menus.text.input_parsing import parse_amount

PURCHASE_FIELD = "purchases"
"""The field that says what a form changes: `save`, `on`, `off`, `block CATEGORY`, `open CATEGORY`.

A merchant is named `seller:NAME` in place of the category.
"""
PURCHASE_INPUTS = (
    FormInput("purchase_cap", 10, {"type": "text", "inputmode": "decimal"}),
    FormInput("purchase_alert", 10, {"type": "text", "inputmode": "decimal"}, is_required=False),
)
SELLER_PREFIX = "seller:"
"""Begins the name of a merchant in the field, in place of a category."""
WRONG_AMOUNT, HELD_SIM = "page.purchase_wrong", "purchases.held"


@dataclass(frozen=True, slots=True)
class PurchaseSection:
    """What the section shows, as texts of the page's language."""

    rows: tuple[tuple[str, str], ...] = field(repr=False)
    charges: tuple[tuple[str, str], ...] = field(repr=False)
    """Purchases of the month, newest first: day and label, and the amount."""
    buttons: tuple[tuple[str, str], ...]
    """Value of the field and words of each button that changes one thing."""


async def build_section(request: PageRequest, number: str) -> PurchaseSection | None:
    """Return the section of a line; None where it makes no purchases, or while billing does not answer."""
    try:
        action = build_action_request(request, await request.ports.billing.get_subscriber(number))
        if not makes_purchases(action):
            return None
        policy = await find_line_policy(action)
        facts, charges = await month_facts(action, policy), await list_month_charges(action)
        sellers = await list_sellers(action, policy)
    except Failure:
        return None
    made = [each for each in charges if each.state == "succeeded"]
    return PurchaseSection(
        rows=tuple(_policy_rows(request, policy, facts)),
        charges=tuple((each.label, request.format_fact(Money(each.amount - each.refunded))) for each in made),
        buttons=(*_buttons(request, policy), *_seller_buttons(request, policy, sellers)),
    )


async def save_settings(request: PageRequest, number: str, key: str) -> str:
    """Make the change a form asks for; return the name of an error text, empty when it was made.

    The login was proven by a code sent to the line, so looser settings are taken as well; the line is told.
    """
    action = build_action_request(request, await request.ports.billing.get_subscriber(number), key=key)
    if not makes_purchases(action):
        return ""
    policy = await find_line_policy(action)
    change = _read_change(action, policy, request.form_fields)
    if change is None:
        return WRONG_AMOUNT
    cap = change.monthly_cap or (policy.monthly_cap if policy else Decimal(0))
    if loosens_policy(policy, change) and await is_loosening_held(action):
        return HELD_SIM
    announced: Facts | None = {"cap": Money(cap)} if loosens_policy(policy, change) else None
    await write_change(action, change, announced)
    return ""


def _read_change(
    action: ActionRequest, policy: SpendPolicy | None, fields: Mapping[str, str]
) -> PolicyChange | None:
    """Return the change of a form; None for amounts that are none."""
    verb, _, category = fields.get(PURCHASE_FIELD, "").partition(" ")
    if verb in ("block", "open") and category.startswith(SELLER_PREFIX):
        return _read_seller(action, verb, category.removeprefix(SELLER_PREFIX))
    if verb in ("block", "open") and category in PURCHASE_CATEGORIES:
        named = frozenset({category})
        return begin_change(action, block=named) if verb == "block" else begin_change(action, unblock=named)
    if verb == "off" or (verb == "on" and policy and policy.monthly_cap):
        return begin_change(action, is_enabled=verb == "on")
    return _read_amounts(action, policy, fields) if verb == "save" else None


def _read_seller(action: ActionRequest, verb: str, seller: str) -> PolicyChange | None:
    """Return the change that blocks or opens one merchant; None for a name that is none."""
    if not re.fullmatch(MERCHANT_PATTERN, seller):
        return None
    if verb == "block":
        return begin_change(action, block_merchant=seller)
    return begin_change(action, unblock_merchant=seller)


def _read_amounts(
    action: ActionRequest, policy: SpendPolicy | None, fields: Mapping[str, str]
) -> PolicyChange | None:
    """Return the change of cap and alert; the first cap of a line switches purchases on (B13)."""
    decimals, most = action.menu.config.currency.decimals, limits_of(action.menu).per_month
    cap = parse_amount(fields.get("purchase_cap", ""), decimals)
    typed_alert = fields.get("purchase_alert", "").strip()
    alert = parse_amount(typed_alert, decimals) if typed_alert else None
    if cap is None or not 0 < cap <= most or (typed_alert and (alert is None or alert > most)):
        return None
    alerts = None if alert is None else (alert,) if alert else ()
    is_first = policy is None or not policy.monthly_cap
    return begin_change(action, is_enabled=True if is_first else None, monthly_cap=cap, alerts=alerts)


def _policy_rows(request: PageRequest, policy: SpendPolicy | None, facts: Facts) -> Iterator[tuple[str, str]]:
    spent, cap = facts["spent"], facts["cap"]
    if isinstance(spent, Money) and isinstance(cap, Money):
        yield request.plain_text("page.purchase_spent"), request.format_fact(spent)
        yield request.plain_text("page.purchase_cap"), request.format_fact(cap)
    for alert in policy.alerts if policy else ():
        yield request.plain_text("page.purchase_alert"), request.format_fact(Money(alert))
    for category in PURCHASE_CATEGORIES if policy else ():
        is_open = policy is not None and policy.is_enabled and category not in policy.blocked
        state = "open" if is_open else "blocked"
        yield request.plain_text(f"purchase.{category}"), request.plain_text(f"purchase_state.{state}")


def _buttons(request: PageRequest, policy: SpendPolicy | None) -> Iterator[tuple[str, str]]:
    """Yield the buttons that fit the policy: one for each category while purchases are on, one for all."""
    if policy is None or policy.is_enabled:
        yield "off", request.plain_text("page.purchase_off")
    elif policy.monthly_cap:
        yield "on", request.plain_text("page.purchase_on")
    for category in PURCHASE_CATEGORIES if policy and policy.is_enabled else ():
        verb = "open" if policy and category in policy.blocked else "block"
        words = request.plain_text(f"page.purchase_{verb}"), request.plain_text(f"purchase.{category}")
        yield f"{verb} {category}", ": ".join(words)


def _seller_buttons(
    request: PageRequest, policy: SpendPolicy | None, sellers: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield a button for each merchant the line dealt with, while purchases are on."""
    for seller in sellers if policy and policy.is_enabled else ():
        verb = "open" if policy and seller in policy.blocked_merchants else "block"
        yield f"{verb} {SELLER_PREFIX}{seller}", f"{request.plain_text(f'page.purchase_{verb}')}: {seller}"
