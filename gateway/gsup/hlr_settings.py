"""Settings and counters of a connection to osmo-hlr, and the clock and randomness it uses."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ENTITY_PREFIX = "EUSE-"
"""What osmo-hlr puts before the name of an external USSD entity: it finds no other."""


@dataclass(frozen=True, slots=True)
class HlrSettings:
    """One external USSD entity of one HLR."""

    host: str
    port: int
    name: str
    """The entity's name as the HLR's `euse` line has it."""
    operator: str = ""
    """Named in logs."""
    control_port: int = 4259
    ping_seconds: float = 10.0
    """Silence after which a ping asks whether the HLR still works."""
    answer_seconds: float = 3.0
    """How long connecting, a ping or a look-up may take."""
    idle_seconds: float = 120.0
    """How long a connection stays that is given no session: a dead one may still have our name."""
    longest_wait_seconds: float = 5.0
    """Longest wait between attempts to connect."""

    @property
    def full_name(self) -> str:
        """Return the name we identify ourselves with."""
        return f"{ENTITY_PREFIX}{self.name}"


@dataclass(slots=True)
class GsupCounters:
    """What happened on all connections since the link began."""

    received: int = 0
    """Messages of USSD sessions."""
    malformed: int = 0
    connections: int = 0
    last_frame_at: float = 0.0
    """When the HLR was last heard of, in seconds of the monotonic clock; 0 for never."""


@dataclass(frozen=True, slots=True)
class HlrRuntime:
    """Clock and randomness, replaced by tests."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fraction: Callable[[], float] = random.random
    """Between 0 and 1: spreads the reconnects of many processes."""
