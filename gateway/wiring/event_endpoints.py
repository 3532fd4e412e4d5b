"""Wiring of the endpoints that are no provider's: bill events and bounces."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from flows.domain.actions import OperatorPorts
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.mail.bounce_recorder import BounceRecorder
from gateway.http.bounce_events import BounceHandler
from gateway.http.bss_events import BillEventHandler
from gateway.http.guard import Guard
from gateway.settings import Settings


class EndpointParts(Protocol):
    """What the endpoints are built on; the container's core has it."""

    @property
    def settings(self) -> Settings:
        """Names the tokens."""

    @property
    def operators(self) -> dict[str, OperatorPorts]:
        """The ports of each operator."""

    @property
    def now(self) -> Callable[[], datetime]:
        """Returns the current time, UTC."""

    @property
    def bounce_recorder(self) -> BounceRecorder:
        """Records what bounces say of addresses."""

    def announcer_for(self, operator: str) -> BillAnnouncer:
        """Return the announcer of an operator's bills."""


def build_bill_events(parts: EndpointParts, guard: Guard) -> BillEventHandler:
    """Build the endpoint of bill events; an operator without a hub token accepts none."""
    sections = parts.settings.operators.items()
    tokens = {name: str(section.bss.get("hub_token", "")) for name, section in sections}
    return BillEventHandler(guard, parts.operators, parts.announcer_for, _path_tokens(tokens), parts.now)


def build_bounces(parts: EndpointParts, guard: Guard) -> BounceHandler:
    """Build the endpoint of bounces; an operator without a bounces token accepts none."""
    sections = parts.settings.operators.items()
    tokens = {name: section.routes.bounces_token.get_secret_value() for name, section in sections}
    return BounceHandler(guard, parts.bounce_recorder, _path_tokens(tokens), parts.now)


def _path_tokens(tokens: Mapping[str, str]) -> dict[str, tuple[bytes, ...]]:
    return {name: (token.encode(),) for name, token in tokens.items() if token}
