"""Inbound: what a provider read, in our words."""

from dataclasses import field

from menus.model.reply import Channel
from menus.model.value import value


@value
class Inbound:
    """One thing a subscriber did, whatever the provider calls it."""

    provider: str
    channel: Channel
    operator: str
    session_id: str
    """The provider's own session or call id; empty for SMS, whose conversation is the sender's."""
    caller: str = field(repr=False)
    """E.164 with its plus, or empty when withheld or not a number."""
    address: str
    """What was dialled or texted to: `*100#`, `411`, `477`."""
    text: str | None = field(repr=False)
    """What was typed, pressed or texted; None when the caller stayed silent."""
    accumulated: bool = False
    """True when `text` repeats every answer of the session, joined with `*`."""
    hop: str = ""
    """The provider's own id of this step or message; empty when it has none."""
    inline: bool = True
    """May the answer ride on the response? False sends it through the outbox."""
    trust: str = "none"
    """What the connection proves about the caller: `line` or `none`."""
    spoken: bool = False
    """True when `text` is recognised speech."""
