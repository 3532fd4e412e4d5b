"""Command `dialtree tickets`: list, show, answer and close the tickets that subscribers opened."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

from flows.domain.ticket_records import StoredTicket
from flows.services.tickets import AnswerTooLongError, audit_ticket, build_answer, build_closure
from gateway.cli.common import is_served, read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.console.ticket_answers import REFUSAL_SENTENCES, find_refusal
from gateway.wiring.container import Container
from menus.text.masking import mask_recipient

TicketAction = Callable[[Container, StoredTicket, Namespace], Awaitable[int]]
EXIT_DONE, EXIT_REFUSED, EXIT_UNUSABLE = 0, 1, 2


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_container(read_settings(demo_world=args.demo), lambda built: run_action(built, args))


async def run_action(container: Container, args: Namespace) -> int:
    """Run the chosen action and return its exit status: 0 done, 1 refused, 2 no such operator or ticket."""
    if not is_served(container, args.operator):
        return EXIT_UNUSABLE
    if args.what == "list":
        return await _list_tickets(container, args)
    ticket = await container.tickets.find_ticket(args.operator, args.reference)
    if ticket is None:
        print_error(f"there is no ticket {args.reference} of {args.operator}")
        return EXIT_UNUSABLE
    status = await TICKET_ACTIONS[args.what](container, ticket, args)
    await container.write_behind.flush()
    return status


async def _list_tickets(container: Container, args: Namespace) -> int:
    rows = await container.tickets.list_tickets(args.operator, args.state, args.limit)
    for row in rows:
        print(
            f"{row.reference:<10} {row.kind:<10} {row.opened_at:%Y-%m-%d %H:%M}  {row.channel:<6}"
            f"{mask_recipient(row.number):<10} {row.bill_number or '-':<20} {row.desk_state or 'not forwarded'}"
        )
    print(f"{len(rows)} {args.state}")
    return EXIT_DONE


async def _show_ticket(container: Container, ticket: StoredTicket, args: Namespace) -> int:
    menu = container.menu_versions.current_menu(args.operator)
    container.write_behind.record_entry(audit_ticket(menu, ticket, "tickets.show", container.clock()))
    for name, value in asdict(ticket).items():
        print(f"{name.replace('_', ' '):<13} {value or '-'}")
    return EXIT_DONE


async def _answer_ticket(container: Container, ticket: StoredTicket, args: Namespace) -> int:
    refusal = await find_refusal(container, args.operator, ticket, args.text)
    if refusal:
        print_error(REFUSAL_SENTENCES[refusal])
        return EXIT_REFUSED
    menu = container.menu_versions.current_menu(args.operator)
    try:
        change = build_answer(menu, ticket, args.text.strip(), container.clock())
    except AnswerTooLongError as error:
        print_error(error)
        return EXIT_REFUSED
    await container.operators[args.operator].ledger.commit(change)
    print(f"the answer goes by SMS to {mask_recipient(ticket.number)}")
    return EXIT_DONE


async def _close_ticket(container: Container, ticket: StoredTicket, args: Namespace) -> int:
    menu = container.menu_versions.current_menu(args.operator)
    await container.operators[args.operator].ledger.commit(build_closure(menu, ticket, container.clock()))
    print(f"{ticket.reference} is closed")
    return EXIT_DONE


TICKET_ACTIONS: Mapping[str, TicketAction] = {
    "show": _show_ticket,
    "answer": _answer_ticket,
    "close": _close_ticket,
}
