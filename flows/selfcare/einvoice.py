"""E-invoicing: switch from paper bills to bills by e-mail."""

from flows.domain.actions import Ask, Outcome, action
from flows.services.bill_media import switch


async def activate(ask: Ask) -> Outcome:
    """Switch to bills by e-mail, from the next bill on (R11 to R13)."""
    return await switch(ask, "email", "einvoice")


ACTIONS = {"einvoice.activate": action(activate, "ok already")}
