"""Desk e-mail sender: writes each ticket event to the help desk's address, in English for its staff."""

from dataclasses import replace

from flows.domain.records import OutboundMessage
from gateway.delivery.desk.ticket_event import TicketEvent, parse_ticket_event
from gateway.providers.contract import Sender, SentMessage

NAME = "desk-mail"


class DeskMailSender:
    """Sends ticket events through the operator's mail sender; a repeat has the same Message-ID."""

    def __init__(self, mail_sender: Sender, address: str) -> None:
        self._mail_sender = mail_sender
        self._address = address

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one event, see `Sender.send`."""
        event = parse_ticket_event(notice.body)
        mail = replace(
            notice,
            to=self._address,
            route="email",
            language="en",
            subject=f"[{event.reference}] {event.title}",
            body=describe_event(event),
        )
        return await self._mail_sender.send(mail)

    async def close(self) -> None:
        """Close the mail sender."""
        await self._mail_sender.close()


def describe_event(event: TicketEvent) -> str:
    """Return the body: one field a line, then how to answer."""
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in event.filled_fields()]
    command = f"dialtree tickets answer {event.operator} {event.reference} TEXT"
    return "\n".join([*lines, "", f"To answer by SMS: {command}"])
