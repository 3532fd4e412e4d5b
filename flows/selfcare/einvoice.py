"""Switching to e-invoicing."""

from flows.domain.actions import Ask, Outcome, action
from flows.services.bill_media import switch


async def activate(ask: Ask) -> Outcome:
    """Bills by e-mail instead of paper, from the next one on (R11 to R13)."""
    return await switch(ask, "email", "einvoice")


ACTIONS = {"einvoice.activate": action(activate, "ok already")}
