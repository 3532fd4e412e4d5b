"""Patience: how long a turn waits for what it depends on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; a gateway of an aggregator hangs up after 10 or so, and a caller before that."""

    name: float = 0.8
    """For a caller's name and language, before a first screen is shown without."""
    action: float = 2.5
    """For all actions of a turn together, from its beginning; then the answer is promised by SMS."""
    promise: float = 1.0
    """For writing that promise down, beyond the time of the actions."""
