"""Discrete-event simulation of a billing day's peak: gateway processes in zones, one of which is lost.

Each process is a queue with one processor. Steps arrive at random instants and go to a random process that the
balancer believes alive. When a zone is lost, what its processes had not answered is lost with them and sent
again by the network, and what the balancer still sends there waits for a time-out. Sessions are in Redis: any
process takes the next step.
"""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Peak:
    """One run. Times in seconds."""

    steps_per_second: float
    processes: int
    zones: int = 3
    step_cpu_seconds: float = 245e-6
    seconds: float = 60
    lost_at: float = 20
    """The instant at which the first zone is lost."""
    back_at: float = 45
    """The instant at which it serves again."""
    detection_seconds: float = 2
    """Time until the balancer sends nothing there any more."""
    timeout_seconds: float = 1
    """Time after which a step without an answer is sent again, to another process."""
    patience_seconds: float = 8
    """A step that waited so long was given up by the network."""
    seed: int = 1

    def is_lost(self, process: int, now: float) -> bool:
        """Return whether a process is down at an instant. Process P is in zone P modulo `zones`."""
        return process % self.zones == 0 and self.lost_at <= now < self.back_at


@dataclass(slots=True)
class PeakResult:
    """What happened to the steps; every step that arrived is in exactly one of the counts."""

    arrived: int = 0
    answered: int = 0
    given_up: int = 0
    """Steps whose answer would have come later than the network waits."""
    sent_again: int = 0
    """Steps that met the lost zone, each counted once for each time."""
    waits: list[float] = field(default_factory=list, repr=False)
    """Seconds from arrival to answer, of answered steps."""

    def percentile(self, share: float) -> float:
        """Return the wait in seconds that a share of the answered steps does not exceed."""
        ordered = sorted(self.waits)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf


@dataclass(order=True, slots=True)
class _Attempt:
    """One sending of a step, ordered by its instant."""

    at: float
    arrived_at: float


def simulate_peak(peak: Peak) -> PeakResult:
    """Play the peak and return what happened to each step."""
    dice, result = random.Random(peak.seed), PeakResult()
    free_at = [0.0] * peak.processes
    again: list[_Attempt] = []
    for attempt in _merge_attempts(_new_steps(peak, dice, result), again):
        finished = _try_step(peak, dice, free_at, attempt)
        if finished is None:
            result.sent_again += 1
            heapq.heappush(again, _Attempt(attempt.at + peak.timeout_seconds, attempt.arrived_at))
        else:
            _count_answer(peak, result, finished - attempt.arrived_at)
    return result


def _new_steps(peak: Peak, dice: random.Random, result: PeakResult) -> Iterator[_Attempt]:
    """Yield the steps in the order of their arrival, at exponentially distributed distances."""
    now = dice.expovariate(peak.steps_per_second)
    while now < peak.seconds:
        result.arrived += 1
        yield _Attempt(now, now)
        now += dice.expovariate(peak.steps_per_second)


def _merge_attempts(arrivals: Iterator[_Attempt], again: list[_Attempt]) -> Iterator[_Attempt]:
    """Yield new steps and those sent again, whichever comes first; `again` is a heap that grows meanwhile."""
    following = next(arrivals, None)
    while following or again:
        if again and (following is None or again[0].at <= following.at):
            yield heapq.heappop(again)
        elif following:
            yield following
            following = next(arrivals, None)


def _try_step(peak: Peak, dice: random.Random, free_at: list[float], attempt: _Attempt) -> float | None:
    """Return when a process finishes the step, None if that process is lost before."""
    process = _choose_process(peak, dice, attempt.at)
    if peak.is_lost(process, attempt.at):
        return None
    began = max(attempt.at, free_at[process])
    finished = began + peak.step_cpu_seconds
    if peak.is_lost(process, finished):
        return None
    free_at[process] = finished
    return finished


def _choose_process(peak: Peak, dice: random.Random, now: float) -> int:
    """Return a random process among those that the balancer believes alive."""
    process = int(dice.random() * peak.processes)
    while peak.is_lost(process, now) and now >= peak.lost_at + peak.detection_seconds:
        process = int(dice.random() * peak.processes)
    return process


def _count_answer(peak: Peak, result: PeakResult, wait: float) -> None:
    if wait > peak.patience_seconds:
        result.given_up += 1
        return
    result.answered += 1
    result.waits.append(wait)
