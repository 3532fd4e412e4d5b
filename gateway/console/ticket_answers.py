"""Whether the answer to a ticket may be texted to the phone that asked; for console and command line."""

from collections.abc import Mapping
from typing import Literal
from zoneinfo import ZoneInfo

from flows.domain.failures import Failure, NotFound
from flows.domain.records import Subscriber
from flows.domain.ticket_records import StoredTicket
from gateway.wiring.container import Container

AnswerRefusal = Literal["", "closed", "no_number", "no_text", "no_subscriber", "billing_down", "new_owner"]
REFUSAL_SENTENCES: Mapping[AnswerRefusal, str] = {
    "closed": "the ticket is closed",
    "no_number": "the number that asked is not known",
    "no_text": "there is no answer to send",
    "no_subscriber": "the number that asked has no subscriber any more",
    "billing_down": "billing does not answer, so the number's owner cannot be checked; try again later",
    "new_owner": "the number that asked may have a new owner",
}
"""What the command line says; the console has texts of its own."""


async def find_refusal(container: Container, operator: str, ticket: StoredTicket, text: str) -> AnswerRefusal:
    """Return why no answer may be sent; empty when it may."""
    if ticket.state == "closed":
        return "closed"
    if not text.strip() or not ticket.number:
        return "no_text" if ticket.number else "no_number"
    try:
        holder = await container.operators[operator].billing.get_subscriber(ticket.number)
    except NotFound:
        return "no_subscriber"
    except Failure:
        return "billing_down"
    return "new_owner" if _has_new_owner(container, ticket, operator, holder) else ""


def _has_new_owner(container: Container, ticket: StoredTicket, operator: str, holder: Subscriber) -> bool:
    """Return whether the number got a new owner after the ticket was opened.

    Backends that do not know the start of a subscription report today; then the subscription itself decides.
    """
    menu = container.menu_versions.current_menu(operator)
    opened_on = ticket.opened_at.astimezone(ZoneInfo(menu.config.time_zone)).date()
    is_start_unknown = holder.since == container.operators[operator].today()
    is_same = is_start_unknown and holder.id == ticket.subscription
    return holder.since > opened_on and not is_same
