"""Bill states: derived from amounts and the day, for every backend that is not told them."""

from datetime import date
from decimal import Decimal

from flows.domain.records import BillState


def bill_state(total: Decimal, remaining: Decimal, due: date, today: date, *, cancelled: bool) -> BillState:
    """Return a bill's state on a day, the first that applies. Overdue is derived, never stored."""
    if cancelled:
        return "cancelled"
    if total < 0:
        return "credit"
    if remaining <= 0:
        return "paid"
    if due < today:
        return "overdue"
    return "part" if remaining < total else "due"
