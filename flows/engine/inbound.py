"""Normalised inbound event: what a provider adapter reads from a webhook request."""

from dataclasses import field

from menus.model.reply import Channel
from menus.model.typed_text import TypedText
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
    """The input; None when the caller stayed silent. The first of a USSD session may be the dialled string."""
    accumulated: bool = False
    """Whether `text` repeats every answer of the session, joined with `*` (Africa's Talking); otherwise it is
    the last answer alone."""
    request_id: str = ""
    """The provider's id of this delivery (message id, step number of a session); empty when it has none."""
    step: str = ""
    """The step number we handed out with the previous answer of a call; empty at its start."""
    begins: bool | None = None
    """Whether the provider calls this the first request of a USSD session; None when it does not say."""
    inline: bool = True
    """Whether the reply may be the HTTP response; False sends it through the outbox."""
    trust: str = "none"
    """What the connection authenticates about the caller: `line` or `none`."""
    page_size: str = ""
    """Page size of the connection, `128/56`; empty where it is the channel's own."""
    takes_cards: bool = False
    """Whether the call's connection takes cards in the call."""
    spoken: bool = False
    """Whether `text` is recognised speech."""

    def __post_init__(self) -> None:
        """Hide the input from whatever prints local variables: it may be a secret."""
        if self.text is not None:
            self.text = TypedText(self.text)  # type: ignore[misc]  # the one place that builds it
