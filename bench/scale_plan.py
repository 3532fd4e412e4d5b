"""Capacity planning: from subscribers to steps, sessions and notices a second, and to processes.

The figures of a machine are given, not assumed: measure them with `python -m bench`, `python -m bench.outbox`
and `python -m bench.sessions` on the machine that will run them.
"""

import math
from dataclasses import dataclass

SECONDS_OF_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class BillingDay:
    """Demand on the day on which an operator group's bills appear."""

    subscribers: int = 100_000_000
    dialling_share: float = 0.3
    """Part of the subscribers who dial on that day."""
    steps: int = 5
    """Screens of a conversation."""
    peak_hour_share: float = 0.25
    """Part of the day's conversations that fall into its busiest hour."""
    burst_factor: float = 3
    """How much denser the busiest seconds are than the mean of that hour."""
    session_seconds: float = 60
    """Time a session is kept: thinking of its caller, and the wait for one who has gone."""
    notice_hours: float = 12
    """Hours in which every subscriber is told of the bill."""

    @property
    def steps_per_second(self) -> float:
        """Return the USSD steps of the busiest second."""
        conversations = self.subscribers * self.dialling_share * self.peak_hour_share
        return conversations * self.steps / SECONDS_OF_AN_HOUR * self.burst_factor

    @property
    def open_sessions(self) -> float:
        """Return the sessions open at once: conversations begun a second, each kept `session_seconds`."""
        return self.steps_per_second / self.steps * self.session_seconds

    @property
    def notices_per_second(self) -> float:
        """Return the messages a second that tell everybody within `notice_hours`."""
        return self.subscribers / (self.notice_hours * SECONDS_OF_AN_HOUR)


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """What one process and one server do, measured. Times in seconds, sizes in bytes."""

    step_cpu_seconds: float = 245e-6
    """Processor time of a step in a gateway process, sessions in Redis."""
    session_bytes: float = 552
    redis_step_seconds: float = 60e-6
    """Processor time of Redis for the opening and the saving of one turn."""
    outbox_rows_per_second: float = 5_500
    """Rows a second that one PostgreSQL hands out and settles."""
    message_bytes: float = 1_000
    """Size of a row of the outbox with its indexes."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Processes and servers that carry a billing day with reserve for a lost zone."""

    processes: int
    redis_primaries: int
    outbox_partitions: int
    """PostgreSQL servers that share the operators' messages."""
    session_megabytes: float
    outbox_gigabytes_a_day: float


def plan_deployment(
    day: BillingDay, figures: MachineFigures, zones: int = 3, utilisation: float = 0.5
) -> Deployment:
    """Return what carries the day's busiest second at a utilisation, in each case with one zone lost.

    Args:
        zones: places that fail one at a time; what remains must carry all, up to full use of a processor.
        utilisation: the part of a processor used in the busiest second while all zones are there.
    """
    surviving_share = (zones - 1) / zones
    share_of_use = min(utilisation, surviving_share)
    processes = math.ceil(day.steps_per_second * figures.step_cpu_seconds / share_of_use)
    redis_share = day.steps_per_second * figures.redis_step_seconds
    outbox_share = day.notices_per_second / figures.outbox_rows_per_second
    return Deployment(
        processes=math.ceil(processes / zones) * zones,
        redis_primaries=max(zones, math.ceil(redis_share / share_of_use)),
        outbox_partitions=max(1, math.ceil(outbox_share / share_of_use)),
        session_megabytes=day.open_sessions * figures.session_bytes / 1e6,
        outbox_gigabytes_a_day=day.subscribers * figures.message_bytes / 1e9,
    )
