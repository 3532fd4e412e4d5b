"""Claim scope: which operators and routes a worker claims outbox rows of."""

from collections.abc import Collection
from dataclasses import dataclass

Lane = tuple[str, str]
"""An operator and a route: `orange-ro`, `sms`."""


@dataclass(frozen=True, slots=True)
class ClaimScope:
    """What a worker can send now; the rest stays in the outbox for others, or for later."""

    saturated: Collection[Lane] = ()
    """Lanes without capacity: only what a subscriber waits for is claimed."""
    only: Collection[Lane] | None = None
    """The only lanes that are claimed; None for all."""
    without: Collection[Lane] = ()
    """Lanes that are not claimed: another process holds the connection they are sent by."""

    def admits(self, operator: str, route: str) -> bool:
        """Return whether rows of this operator and route are claimed at all."""
        lane = (operator, route)
        return lane not in self.without and (self.only is None or lane in self.only)


EVERYTHING = ClaimScope()
"""The scope of a worker that sends all there is."""
