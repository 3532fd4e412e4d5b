"""Action specifications: what the checks of a pack know of the actions its steps run."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What the checks know of an action."""

    outcomes: frozenset[str]
    """Outcomes it may return; a step needs an edge for each."""
    reads_billing: bool
    """Whether it reads or changes billing data, so that its step needs a proof."""
    changes_address: bool = False
    """Whether it takes a new address, so that its step needs `address`."""


ActionSpecs = Mapping[str, ActionSpec]
"""Action specifications by action name."""
