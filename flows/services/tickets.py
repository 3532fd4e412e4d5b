"""Support tickets: open one for the operator's staff, text their answer (F13, R10)."""

import json
from base64 import b32encode
from dataclasses import asdict, replace
from datetime import datetime
from hashlib import blake2b

from flows.domain.actions import ActionRequest
from flows.domain.records import AuditEntry, ChangeSet, OutboundMessage
from flows.domain.ticket_records import StoredTicket, Ticket, TicketChange, TicketState
from menus.machine.menu import Menu
from menus.model.facts import Text
from menus.text.gsm import count_segments, prepare_text, to_wire_text

MAX_ANSWER_SEGMENTS = 4
"""Most SMS segments of an answer."""


class AnswerTooLongError(ValueError):
    """The answer takes more SMS segments than one message may have."""


def build_ticket(
    request: ActionRequest,
    kind: str,
    bill_id: str = "",
    bill_number: str = "",
    bill_line_id: str = "",
    detail: str = "",
) -> Ticket:
    """Build a ticket of the line in question; the phone in use gets the answer.

    Its reference, 8 letters and digits, is the same for what is asked twice on one day.
    """
    ticket = Ticket(
        reference=_reference(request, kind, bill_id, bill_line_id, detail),
        kind=kind,
        bill_id=bill_id,
        bill_line_id=bill_line_id,
        channel=request.channel,
        bill_number=bill_number,
        number=request.caller or request.line,
        language=request.language,
        detail=detail,
    )
    return replace(ticket, event_body=_event_body(request, ticket))


def build_answer(menu: Menu, ticket: StoredTicket, answer: str, now: datetime) -> ChangeSet:
    """Build the change that texts an answer to the phone that asked, once for each wording.

    Raises AnswerTooLongError with what to do.
    """
    language = menu.supported_language(ticket.language)
    facts = {"reference": Text(ticket.reference), "answer": Text(answer)}
    body = to_wire_text(prepare_text(menu.fill_text("tickets.answer", language, "sms", facts)))
    segments = count_segments(body)
    if segments > MAX_ANSWER_SEGMENTS:
        raise AnswerTooLongError(
            f"the answer takes {segments} SMS parts, at most {MAX_ANSWER_SEGMENTS} are sent: shorten it"
        )
    digest = blake2b(answer.encode(), digest_size=8).hexdigest()
    key = f"ticket/{menu.name}/{ticket.reference}/{digest}"
    message = OutboundMessage(f"{key}/sms", menu.name, ticket.number, "sms", "notice", body, language)
    return _staff_change(menu, ticket, key, "answered", now, answer, (message,))


def build_closure(menu: Menu, ticket: StoredTicket, now: datetime) -> ChangeSet:
    """Build the change that closes a ticket; no message goes to the subscriber."""
    return _staff_change(menu, ticket, f"ticket/{menu.name}/{ticket.reference}/closed", "closed", now)


def audit_ticket(menu: Menu, ticket: StoredTicket, action: str, now: datetime) -> AuditEntry:
    """Build the audit log entry of what the operator's staff did with a ticket."""
    return AuditEntry(menu.name, ticket.number or ticket.subscription, action, now, "house", ticket.reference)


def _staff_change(
    menu: Menu,
    ticket: StoredTicket,
    key: str,
    state: TicketState,
    now: datetime,
    answer: str = "",
    messages: tuple[OutboundMessage, ...] = (),
) -> ChangeSet:
    return ChangeSet(
        key,
        menu.name,
        ticket.subscription,
        now,
        messages=messages,
        ticket_change=TicketChange(ticket.reference, state, answer),
        audit_entries=(audit_ticket(menu, ticket, f"tickets.{state}", now),),
    )


def _event_body(request: ActionRequest, ticket: Ticket) -> str:
    """Return the event for the help desk, as JSON; empty when the operator has none."""
    if not request.ports.has_desk:
        return ""
    subscriber = request.require_subscriber()
    event = {
        **{name: value for name, value in asdict(ticket).items() if name != "event_body"},
        "operator": request.menu.name,
        "line": request.line,
        "subscription": subscriber.id,
        "account": subscriber.account_number or subscriber.account,
        "opened_at": request.now.isoformat(timespec="seconds"),
    }
    return json.dumps(event, ensure_ascii=False)


def _reference(request: ActionRequest, kind: str, bill: str, line: str, detail: str) -> str:
    about = (bill, line) if kind == "contest" else (kind, bill, line, request.caller, *filter(None, [detail]))
    words = (request.menu.name, request.require_subscriber().id, *about, request.today.isoformat())
    return b32encode(blake2b("\x00".join(words).encode(), digest_size=5).digest()).decode()
