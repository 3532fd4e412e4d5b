"""Monotonic UTC clock, synchronised with the database and immune to steps of the wall clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall_time() -> datetime:
    return datetime.now(UTC)


def _monotonic_seconds() -> float:
    """Return monotonic seconds, including sleep of the machine where the system counts it."""
    return time.clock_gettime(_COUNTING_SLEEP)


_COUNTING_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class MonotonicClock:
    """UTC clock of all expiries and leases; `synchronise` sets it to the time all processes share."""

    def __init__(
        self, wall: Callable[[], datetime] = _wall_time, counter: Callable[[], float] = _monotonic_seconds
    ) -> None:
        self._wall, self._counter = wall, counter
        self.synchronise(wall())

    def __call__(self) -> datetime:
        """Return the current instant in UTC."""
        return datetime.fromtimestamp(self._started_at + self._counter(), UTC)

    def synchronise(self, instant: datetime, round_trip_seconds: float = 0.0) -> None:
        """Set the clock to the database's time, the same for every process.

        It was read in the middle of `round_trip_seconds`, or at most half of them before or after that.
        """
        self.error_seconds = round_trip_seconds / 2
        self._started_at = instant.timestamp() + self.error_seconds - self._counter()

    @property
    def host_difference(self) -> timedelta:
        """How far the host's own clock is ahead of this one; negative when it is behind."""
        return self._wall() - self()
