"""Ticket store in SQL: each ticket once with its event to the help desk, read by staff."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import ChangeSet, OutboundMessage
from flows.domain.ticket_records import StoredTicket, Ticket, TicketChange, TicketState
from storage.sql.engine import Database
from storage.sql.outbox_schema import ROW_STATE, outbox
from storage.sql.tables import tickets

INSERT_TICKET = upsert(tickets).on_conflict_do_nothing(index_elements=[tickets.c.operator, tickets.c.reference])
_KEY = (tickets.c.operator == bindparam("of"), tickets.c.reference == bindparam("ref"))
UPDATE_TICKET = (
    update(tickets)
    .where(*_KEY)
    .values(
        state=bindparam("to_state"),
        answer=func.coalesce(func.nullif(bindparam("said"), ""), tickets.c.answer),
        changed_at=bindparam("now"),
    )
)
_EVENT_STATE = (
    select(ROW_STATE)
    .where(outbox.c.key == literal("desk/") + tickets.c.operator + "/" + tickets.c.reference)
    .scalar_subquery()
)
_PLAIN_COLUMNS = ("channel", "bill_number", "number", "language", "detail", "state", "answer")
_SELECT_TICKETS = select(
    tickets.c.reference,
    tickets.c.subscription,
    tickets.c.kind,
    tickets.c.bill.label("bill_id"),
    tickets.c.line.label("bill_line_id"),
    *(tickets.c[name] for name in _PLAIN_COLUMNS),
    tickets.c.at.label("opened_at"),
    func.coalesce(_EVENT_STATE, "").label("desk_state"),
)
SELECT_BY_STATE = (
    _SELECT_TICKETS.where(tickets.c.operator == bindparam("of"), tickets.c.state == bindparam("in_state"))
    .order_by(tickets.c.at, tickets.c.reference)
    .limit(bindparam("most"))
)
SELECT_BY_REFERENCE = _SELECT_TICKETS.where(*_KEY)


def save_tickets(connection: Connection, change: ChangeSet) -> Sequence[OutboundMessage]:
    """Store the change's tickets; return the events of those that are new, to be enqueued.

    A reference that was stored before is the same question asked twice: nothing is stored and nothing sent.
    """
    return [
        _build_event(change, ticket)
        for ticket in change.tickets
        if connection.execute(INSERT_TICKET, _ticket_row(change, ticket)).rowcount and ticket.event_body
    ]


def update_ticket(connection: Connection, change: ChangeSet, new: TicketChange) -> None:
    """Store a ticket's new state and, where there is one, the answer."""
    key = {"of": change.operator, "ref": new.reference}
    values = {"to_state": new.state, "said": new.answer, "now": change.changed_at}
    connection.execute(UPDATE_TICKET, {**key, **values})


def _build_event(change: ChangeSet, ticket: Ticket) -> OutboundMessage:
    return OutboundMessage(
        key=f"desk/{change.operator}/{ticket.reference}",
        operator=change.operator,
        to=ticket.reference,
        route="desk",
        kind="ticket",
        body=ticket.event_body,
        language=ticket.language,
        trace_parent=ticket.trace_parent,
    )


def _ticket_row(change: ChangeSet, ticket: Ticket) -> dict[str, Any]:
    return {
        "reference": ticket.reference,
        "operator": change.operator,
        "subscription": change.subscription,
        "kind": ticket.kind,
        "bill": ticket.bill_id,
        "line": ticket.bill_line_id,
        "channel": ticket.channel,
        "at": change.changed_at,
        "bill_number": ticket.bill_number,
        "number": ticket.number,
        "language": ticket.language,
        "detail": ticket.detail,
        "state": "open",
        "answer": "",
    }


class SqlTickets:
    """Lists and finds tickets for the operator's staff; they are changed through `Ledger.commit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_tickets(self, operator: str, state: TicketState, limit: int) -> Sequence[StoredTicket]:
        """Return up to `limit` tickets in this state, the oldest first."""
        parameters = {"of": operator, "in_state": state, "most": limit}
        rows = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_STATE, parameters).all()
        )
        return [StoredTicket(**row._mapping) for row in rows]

    async def find_ticket(self, operator: str, reference: str) -> StoredTicket | None:
        """Return the ticket with this reference, in any case; None when there is none."""
        parameters = {"of": operator, "ref": reference.strip().upper()}
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_REFERENCE, parameters).first()
        )
        return None if row is None else StoredTicket(**row._mapping)
