"""Time budgets of a turn: how long it waits for billing and storage before it answers without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeBudgets:
    """Time budgets in seconds. An aggregator's gateway hangs up after about 10 s, a caller earlier."""

    lookup_seconds: float = 0.8
    """For the caller's name and language; after it the first screen is shown without them."""
    action_seconds: float = 2.5
    """For all actions of a turn together, from its start; after it the step is deferred, answered by SMS."""
    deferral_seconds: float = 0.3
    """For storing a deferred step, on top of the action budget: together under 3 s when the database hangs."""
