"""Callback request: a subscriber asks the operator's staff to call the phone in use (R10)."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.services.bill_notices import SMS_LINE_KINDS
from flows.services.tickets import build_ticket
from menus.model.facts import Facts, PhoneNumber, Text


async def request_callback(request: ActionRequest) -> Outcome:
    """Open a ticket for a call to the phone in use, or to the proven line where that withholds its number."""
    ticket = build_ticket(request, "callback")
    facts: Facts = {"reference": Text(ticket.reference), "caller": PhoneNumber(ticket.number)}
    messages = (request.build_sms("callback.notice", facts, "reply"),) if _takes_sms(request) else ()
    change = request.build_change(tickets=(ticket,), messages=messages)
    return Outcome(await request.ports.ledger.commit(change), facts)


def _takes_sms(request: ActionRequest) -> bool:
    """Return whether the phone in use can be texted; of a phone that asks for another line nothing is known."""
    is_other_line = request.line != request.caller
    return bool(request.caller) and (is_other_line or request.require_subscriber().kind in SMS_LINE_KINDS)


ACTIONS = {"callback.request": define_action(request_callback, "ok", ignores_eligibility=True)}
