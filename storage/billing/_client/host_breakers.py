"""Circuit breakers of a BSS and of the hosts its documents are on, one for each."""

import logging
from collections.abc import Callable

from cachetools import LRUCache
from yarl import URL

from flows.domain.circuit_breaker import CircuitBreaker, clock_from_seconds

_log = logging.getLogger("dialtree.billing")
MAX_HOSTS = 256
"""Hosts whose circuits one client remembers; the least recently used is evicted first."""


class HostCircuitBreakers:
    """Circuit breaker by origin (scheme, host and port) of a URL; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock_from_seconds(clock)
        self._breakers: LRUCache[URL, CircuitBreaker] = LRUCache(MAX_HOSTS)

    def breaker_for(self, url: URL) -> CircuitBreaker:
        """Return the circuit breaker of the URL's origin; it is closed at first."""
        origin = url.origin()
        breaker = self._breakers.get(origin)
        if breaker is None:
            breaker = CircuitBreaker(str(origin), self._now, report_change=_log_circuit)
            self._breakers[origin] = breaker
        return breaker


def _log_circuit(breaker: CircuitBreaker) -> None:
    if breaker.is_open:
        _log.warning(
            "billing.circuit_opened", extra={"endpoint": breaker.name, "failure": breaker.last_failure}
        )
    else:
        _log.warning("billing.circuit_closed", extra={"endpoint": breaker.name})
