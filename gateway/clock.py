"""The clock: an instant read once and counted on from there, so that a step of the wall clock moves nothing."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


def _counter() -> float:
    """Seconds that only go forward, sleep of the machine included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Steady:
    """The instant, UTC, for all expiries and leases. `follow` sets it to the time all processes share."""

    def __init__(self, wall: Callable[[], datetime] = _wall, counter: Callable[[], float] = _counter) -> None:
        self._counter = counter
        self.follow(wall())

    def __call__(self) -> datetime:
        """Now."""
        return self._instant + timedelta(seconds=self._counter() - self._at)

    def follow(self, instant: datetime) -> None:
        """It is this instant now: the database's word, the same for every process."""
        self._instant, self._at = instant, self._counter()
