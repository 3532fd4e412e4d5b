"""E-invoicing: switch from paper bills to bills by e-mail."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.services.bill_media import email_destination, switch_media


async def activate_einvoice(request: ActionRequest) -> Outcome:
    """Switch to bills by e-mail, from the next bill on (R11 to R13)."""
    return await switch_media(request, await email_destination(request), "einvoice")


ACTIONS = {"einvoice.activate": define_action(activate_einvoice, "ok already")}
