"""Back-off from throttling: a refused submit pauses the whole bind, then one probe goes alone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.smpp.wire.protocol import Status

THROTTLE_STATUSES = frozenset({Status.THROTTLED, Status.QUEUE_FULL})
LONGEST_PAUSE_SECONDS = 30.0


class StillThrottled(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the bind stays paused longer than a message can wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"paused for another {seconds:g} s")
        self.seconds = seconds


@dataclass(slots=True)
class ThrottleGate:
    """Lets submits through until one is throttled; then none for the pause, one probe, and all if it passes."""

    first_pause_seconds: float
    monotonic: Callable[[], float]
    is_closed: bool = False
    _pause_seconds: float = 0.0
    _opens_at: float = 0.0
    _probe_is_out: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, until: float) -> bool:
        """Wait to be let through; return whether this is the probe, to be settled whatever happens.

        `until`: monotonic time this message can wait to; StillThrottled when the pause lasts longer.
        """
        while self.is_closed:
            now = self.monotonic()
            if now >= self._opens_at and not self._probe_is_out:
                self._probe_is_out = True
                return True
            opens_at = self._opens_at
            if opens_at > until or now >= until:
                raise StillThrottled(max(opens_at - now, 0.0))
            await self._wait_for_change((until if self._probe_is_out else opens_at) - now)
        return False

    async def _wait_for_change(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def settle(self, status: int | None, was_probe: bool) -> bool:  # noqa: FBT001 - what `enter` returned
        """Take the status of a submit, None when it got none; return whether it was throttled."""
        throttled = status in THROTTLE_STATUSES
        if throttled and (was_probe or not self.is_closed):
            self._close(was_probe)
        elif was_probe:
            self.is_closed = status is None
        if was_probe:
            self._probe_is_out = False
            self._changed.set()
            self._changed = asyncio.Event()
        return throttled

    def _close(self, was_probe: bool) -> None:  # noqa: FBT001
        doubled = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        self._pause_seconds = doubled if was_probe else self.first_pause_seconds
        self.is_closed = True
        self._opens_at = self.monotonic() + self._pause_seconds
