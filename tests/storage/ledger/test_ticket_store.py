"""Tickets in SQL: once per reference with one event, answered in the transaction of the message."""

from dataclasses import replace

from flows.domain.records import ChangeSet, OutboundMessage
from flows.domain.ticket_records import Ticket, TicketChange
from storage.ledger.sql_ledger import SqlLedger
from storage.ledger.ticket_store import SqlTickets
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows

TICKET = Ticket("QFWQOZJP", "callback", "", number="+33600000101", language="fr", event_body="{}")
OPENED = ChangeSet("k1", "orange-fr", "s1", NOW, tickets=(TICKET,))
SMS = OutboundMessage("a1", "orange-fr", "+33600000101", "sms", "notice", "Oui", "fr")
ANSWERED = ChangeSet(
    "k2", "orange-fr", "s1", NOW, messages=(SMS,), ticket_change=TicketChange("QFWQOZJP", "answered", "Oui")
)


async def test_a_question_asked_twice_is_one_ticket_and_one_event(database: Database) -> None:
    ledger = SqlLedger(database, SECRET)
    for key in ("k1", "k1 again"):
        await ledger.commit(replace(OPENED, key=key))
    assert [await count_rows(database, table) for table in ("tickets", "outbox")] == [1, 1]


async def test_a_ticket_without_a_desk_has_no_event(database: Database) -> None:
    await SqlLedger(database, SECRET).commit(replace(OPENED, tickets=(replace(TICKET, event_body=""),)))
    assert await count_rows(database, "outbox") == 0
    (ticket,) = await SqlTickets(database).list_tickets("orange-fr", "open", 9)
    assert ticket.desk_state == ""


async def test_an_answer_changes_the_ticket_and_a_later_closure_keeps_it(database: Database) -> None:
    ledger, tickets = SqlLedger(database, SECRET), SqlTickets(database)
    await ledger.commit(OPENED)
    await ledger.commit(ANSWERED)
    await ledger.commit(
        ChangeSet("k3", "orange-fr", "s1", NOW, ticket_change=TicketChange("QFWQOZJP", "closed"))
    )
    ticket = await tickets.find_ticket("orange-fr", " qfwqozjp ")
    assert ticket is not None
    assert (ticket.state, ticket.answer, ticket.desk_state) == ("closed", "Oui", "pending")


async def test_a_ticket_of_another_operator_is_not_found(database: Database) -> None:
    await SqlLedger(database, SECRET).commit(OPENED)
    assert await SqlTickets(database).find_ticket("bouygues", "QFWQOZJP") is None
