"""Monotonic UTC clock, synchronised with the database and immune to steps of the wall clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


def _counter() -> float:
    """Return monotonic seconds, including sleep of the machine where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Steady:
    """UTC clock of all expiries and leases; `synchronise` sets it to the time all processes share."""

    def __init__(self, wall: Callable[[], datetime] = _wall, counter: Callable[[], float] = _counter) -> None:
        self._counter = counter
        self.follow(wall())

    def __call__(self) -> datetime:
        """Return the current instant in UTC."""
        return self._instant + timedelta(seconds=self._counter() - self._at)

    def follow(self, instant: datetime) -> None:
        """Set the clock to the database's time, the same for every process."""
        self._instant, self._at = instant, self._counter()
