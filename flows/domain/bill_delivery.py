"""Bill delivery: how an account's bills reach its holder, and the bill that goes with an e-mail."""

from dataclasses import dataclass, field
from typing import Literal

BillMedia = Literal["paper", "email"]


@dataclass(frozen=True, slots=True)
class BillDestination:
    """Where an account's bills go: on paper, or by e-mail to an address."""

    media: BillMedia
    email: str = field(default="", repr=False)
    """Address of the e-mails, validated by its owner; empty leaves the one billing has."""

    def is_met_by(self, current: "BillDestination") -> bool:
        """Return whether bills go here already; an empty address is met by any, capitals count for nothing."""
        same_address = not self.email or self.email.casefold() == current.email.casefold()
        return self.media == current.media and same_address
