"""Registrations for e-mail bills, and what became of the mails to a registered address."""

from dataclasses import dataclass, field
from typing import Literal

EmailState = Literal["", "ok", "delayed", "bounced"]
"""`bounced`: a mail was refused for good. `delayed`: its delivery is still tried. `ok`: one arrived again."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A line registered for e-mail bills, and the phone it was registered from."""

    by: str = field(repr=False)
    """Phone used to register, E.164."""
    line: str = field(repr=False)  # E.164
    subscription: str
    account: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EmailUse:
    """A subscription whose stored e-mail address is the one in question."""

    subscription: str
    language: str
    """The stored preference; empty when none was chosen."""
    email_state: EmailState
    registered_by: str = field(default="", repr=False)
    """Phone (E.164) the line was registered from; empty without a registration."""
    line: str = field(default="", repr=False)
    """The registered line, E.164."""
