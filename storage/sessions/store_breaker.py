"""Circuit breaker settings of a shared Redis store that has a fallback in memory."""

import logging
from collections.abc import Callable
from datetime import timedelta

from flows.domain.circuit_breaker import CircuitBreaker, clock_from_seconds

_log = logging.getLogger("dialtree.sessions")
FAILURE_THRESHOLD = 3
"""Consecutive failures after which Redis is left alone."""
COOL_DOWN_SECONDS = 1.0
"""First wait before one call probes Redis; a failed probe doubles it, up to four times."""


def build_store_breaker(
    now: Callable[[], float],
    failure_threshold: int = FAILURE_THRESHOLD,
    cool_down_seconds: float = COOL_DOWN_SECONDS,
) -> CircuitBreaker:
    """Return a closed circuit breaker that logs `sessions.circuit_opened` when memory serves from now on."""
    first_wait = timedelta(seconds=cool_down_seconds)
    return CircuitBreaker(
        "redis", clock_from_seconds(now), failure_threshold, first_wait, 4 * first_wait, _log_circuit
    )


def _log_circuit(breaker: CircuitBreaker) -> None:
    if breaker.is_open:
        _log.warning("sessions.circuit_opened", extra={"failure": breaker.last_failure})
    else:
        _log.warning("sessions.circuit_closed")
