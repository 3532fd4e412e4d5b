"""Ticket event: the data of a ticket that a help desk gets, read from the outbox's JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from flows.domain.failures import Rejected

KIND_TITLES: Mapping[str, str] = {"contest": "Bill dispute", "callback": "Callback request"}
"""Title by kind of ticket; other kinds are shown by their own name."""


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """A ticket as the help desk gets it; a field that does not apply is empty."""

    reference: str
    kind: str
    operator: str
    opened_at: str
    """ISO 8601, UTC."""
    channel: str = ""
    language: str = ""
    number: str = field(default="", repr=False)
    """Phone (E.164) that asked."""
    line: str = field(default="", repr=False)
    """Line (E.164) it is about."""
    subscription: str = field(default="", repr=False)
    account: str = field(default="", repr=False)
    bill_id: str = ""
    bill_number: str = ""
    bill_line_id: str = ""
    detail: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """Return the kind of ticket in words."""
        return KIND_TITLES.get(self.kind, self.kind)

    def filled_fields(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of the fields that are not empty."""
        pairs = ((each.name, str(getattr(self, each.name))) for each in fields(self))
        return ((name, value) for name, value in pairs if value)


def parse_ticket_event(body: str) -> TicketEvent:
    """Parse the JSON of a ticket event; Rejected when it is none. Unknown fields are left out."""
    known = {each.name for each in fields(TicketEvent)}
    try:
        raw = json.loads(body)
        return TicketEvent(**{name: str(value) for name, value in raw.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        raise Rejected("the stored ticket event cannot be read") from None
