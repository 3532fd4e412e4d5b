"""Direct debits: whether billing is about to collect a bill, and what is said of the mandate (F8)."""

from datetime import date

from flows.domain.account_activity import DirectDebit, account_activity
from flows.domain.ports import Billing
from menus.model.facts import Facts, Text, TextRef

MAX_REFERENCE_CHARS = 20
"""Of a mandate's reference (SEPA: up to 35 characters) that screens show: its end, as it differs there."""


async def find_debit(billing: Billing, account: str) -> DirectDebit | None:
    """Return the account's mandate in force; None where billing tells of none."""
    if "debits" not in billing.capabilities:
        return None
    return await account_activity(billing).find_debit(account)


def collects_bill(mandate: DirectDebit | None, due: date, today: date) -> bool:
    """Return whether the mandate will collect a bill that is due then.

    Once the due date or the day of the collection is over it has failed, or has not been made: the bill is to
    be paid by the subscriber.
    """
    if mandate is None or today > due:
        return False
    return mandate.collects_on is None or today <= mandate.collects_on


def mandate_facts(mandate: DirectDebit) -> Facts:
    """Return the facts of a mandate; the day only where billing tells it."""
    shown = mandate.reference
    if len(shown) > MAX_REFERENCE_CHARS:
        shown = f"...{shown[3 - MAX_REFERENCE_CHARS :]}"
    day: Facts = {"collected_on": mandate.collects_on} if mandate.collects_on else {}
    return {
        "mandate": Text(shown),
        "mandate_letters": Text(" ".join(mandate.reference)),
        "debit_account": Text(f"****{mandate.account_end}"),
        "collected": TextRef("collected.dated" if day else "collected.undated"),
        **day,
    }
