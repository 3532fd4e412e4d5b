"""Normalised inbound event: what a provider adapter reads from a webhook request."""

from dataclasses import field

from menus.model.reply import Channel
from menus.model.value import value_dataclass


@value_dataclass
class Inbound:
    """One subscriber input (dialled code, key press, speech or SMS), independent of the provider."""

    provider: str
    channel: Channel
    operator: str
    session_id: str
    """The provider's session or call id; empty for SMS, where the sender identifies the conversation."""
    caller: str = field(repr=False)
    """E.164 with its plus; empty when withheld or not a number."""
    address: str
    """Service code or short code that was dialled or texted: `*100#`, `411`, `477`."""
    text: str | None = field(repr=False)
    """The input; None when the caller stayed silent."""
    accumulated: bool = False
    """Whether `text` repeats every answer of the session, joined with `*` (Africa's Talking)."""
    hop: str = ""
    """The provider's id of this request or message; empty when it has none."""
    inline: bool = True
    """Whether the reply may be the HTTP response; False sends it through the outbox."""
    trust: str = "none"
    """What the connection authenticates about the caller: `line` or `none`."""
    spoken: bool = False
    """Whether `text` is recognised speech."""
