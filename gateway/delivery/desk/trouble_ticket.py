"""TMF621 sender: creates a trouble ticket (TM Forum Open API 621, v4) for each ticket event, once."""

import json
from typing import Any

from flows.domain.failures import Rejected, TryLater
from flows.domain.records import OutboundMessage
from gateway.delivery.desk.desk_client import BUSY_STATUSES, DeskAnswer, DeskClient, refusal_of
from gateway.delivery.desk.ticket_event import TicketEvent, parse_ticket_event
from gateway.providers.contract import SentMessage

NAME = "tmf621"
COLLECTION = "/troubleTicket"
SEVERITY = "Minor"
"""TMF621 demands one; the desk sets its own."""


class TroubleTicketSender:
    """Creates trouble tickets; our reference is their `externalId`.

    Before each creation it looks for a ticket with that `externalId`, so that an attempt whose answer was lost
    is not made twice at a desk that does not refuse duplicates.
    """

    def __init__(self, client: DeskClient) -> None:
        self._client = client

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Create the ticket of an event, see `Sender.send`."""
        event = parse_ticket_event(notice.body)
        there = await self._find(event.reference)
        if there:
            return SentMessage(NAME, there)
        body = json.dumps(build_trouble_ticket(event)).encode()
        answer = await self._client.post(COLLECTION, body, {"Idempotency-Key": event.reference})
        return SentMessage(NAME, ticket_id(answer) or event.reference)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _find(self, reference: str) -> str:
        """Return the id of the ticket with our reference; empty when there is none or it cannot be asked."""
        answer = await self._client.get(COLLECTION, {"externalId": reference, "fields": "id,externalId"})
        if answer.status in BUSY_STATUSES or answer.status >= 500:
            raise TryLater(f"the desk answered {answer.status}", answer.retry_after_seconds)
        if not 200 <= answer.status < 300:
            failure = refusal_of(answer)
            if isinstance(failure, Rejected):
                return ""  # a desk without this filter; it must refuse duplicates itself
            raise failure
        found = [each for each in ticket_items(answer) if str(each.get("externalId", "")) == reference]
        return str(found[0].get("id") or reference) if found else ""


def build_trouble_ticket(event: TicketEvent) -> dict[str, Any]:
    """Return a ticket as TMF621 v4 takes it: description, severity and type are mandatory there."""
    entities = [
        (event.bill_id, "disputedBill", "CustomerBill"),
        (event.subscription, "subscription", "Product"),
    ]
    facts = "; ".join(f"{name}: {value}" for name, value in event.filled_fields())
    return {
        "@type": "TroubleTicket",
        "externalId": event.reference,
        "name": f"{event.title} {event.reference}",
        "description": facts,
        "severity": SEVERITY,
        "ticketType": event.kind,
        "channel": {"id": event.channel, "name": event.channel},
        "relatedEntity": [
            {"id": entity, "role": role, "@referredType": kind} for entity, role, kind in entities if entity
        ],
        "relatedParty": [{"id": event.account, "role": "customer", "@referredType": "Customer"}],
    }


def ticket_id(answer: DeskAnswer) -> str:
    """Return the id in an answer; empty when there is none, as the ticket was accepted all the same."""
    try:
        name = str(json.loads(answer.body)["id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return name if name.isprintable() else ""


def ticket_items(answer: DeskAnswer) -> list[dict[str, Any]]:
    """Return the tickets an answer lists; none when it cannot be read."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
