"""Usage and purchases on the bill, read only (F2, B17, B22)."""

from collections import defaultdict
from decimal import Decimal

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Entry
from menus.model.facts import Count, Fact, Money, Rows, Text, Word

COLUMNS = ("when", "what", "quantity", "unit")
KINDS = frozenset({"call", "data", "text"})
BOUGHT = ("category", "charge")
CATEGORIES = ("content", "transport", "parking", "donations", "streaming", "other")
MOST_PURCHASES = 200


async def last(ask: Ask) -> Outcome:
    """List the last usage records, as many as the screen asks for."""
    account = ask.known().account
    entries = await ask.able("usage").entries(account, "usage", int(ask.given))
    return Outcome("ok" if entries else "none", {"usage": Rows(COLUMNS, tuple(map(_row, entries)))})


async def purchases(ask: Ask) -> Outcome:
    """Show the sums of purchases on the bill by category."""
    account = ask.known().account
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in await ask.able("purchases").entries(account, "purchases", MOST_PURCHASES):
        sums[entry.kind if entry.kind in CATEGORIES else "other"] += entry.amount
    rows = tuple((Word(f"purchase.{name}"), Money(sums[name])) for name in CATEGORIES if name in sums)
    return Outcome("ok" if rows else "none", {"bought": Rows(BOUGHT, rows)})


def _row(entry: Entry) -> tuple[Fact, ...]:
    kind = entry.kind if entry.kind in KINDS else "other"
    when = Text(f"{entry.at:%d/%m}")
    return when, Word(f"usage.{kind}"), Count(entry.quantity), Word(f"usage.{kind}_unit")


ACTIONS = {"usage.last": action(last, "ok none"), "purchases.list": action(purchases, "ok none")}
