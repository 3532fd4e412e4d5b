"""Caller of a call through Asterisk: its number, and whether the trunk it came by proves it."""

from dataclasses import dataclass

from flows.engine.inbound import Inbound
from gateway.asterisk.ari_events import AriChannel
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import Connection, ConversationEnded

NAME = "asterisk"
RESUMED_STEP = "resumed"
"""Step of a call that another process began: it equals none we handed out, so the current screen is said."""


@dataclass(frozen=True, slots=True)
class TrustedTrunks:
    """Where calls come from whose caller numbers the operator's own network vouches for."""

    endpoints: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()

    def proves_caller(self, channel: AriChannel) -> bool:
        """Return whether a call came by one of them; where both kinds are named, both must fit."""
        rules = [(self.endpoints, channel.endpoint), (self.contexts, channel.context)]
        named = [(allowed, actual) for allowed, actual in rules if allowed]
        return bool(named) and all(actual in allowed for allowed, actual in named)


@dataclass(frozen=True, slots=True)
class TrunkCall:
    """One call's identity, from which its events are made."""

    channel: AriChannel
    connection: Connection
    trunks: TrustedTrunks

    @property
    def caller(self) -> str:
        """The caller's number in E.164; empty when withheld."""
        return read_caller(self.channel.caller, self.connection.numbering)

    def write_input(self, text: str | None, step: str = "") -> Inbound:
        """Return an input of the call; `step` is the number our last reply had."""
        is_proven = self.trunks.proves_caller(self.channel)
        return Inbound(
            provider=NAME,
            channel="voice",
            operator=self.connection.operator,
            session_id=self.channel.id,
            caller=self.caller,
            address=self.connection.addresses.get("voice", ""),
            text=text,
            step=step,
            trust=self.connection.trust.get("voice", "none") if is_proven else "none",
        )

    def write_end(self) -> ConversationEnded:
        """Return the end of the call."""
        return ConversationEnded(self.channel.id, self.caller, "voice")
