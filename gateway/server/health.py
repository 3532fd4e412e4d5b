"""Health checks: readiness of a process by part, with a write to the database."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.domain.failures import Failure
from gateway.observability.host_clock import describe_difference
from gateway.wiring.container import Container
from storage.sessions.fallback import FallbackSessions
from storage.sql.readiness import check_writable, failure_reason

log = logging.getLogger("dialtree.server")
READY_SECONDS = 1.0
"""Readiness fails when the database does not commit a small row in this time."""
PROBE_SECONDS = 1.0
"""How long a result is repeated, so that frequent questions cost no further writes."""


@dataclass(slots=True)
class Health:
    """Readiness of this process: what it cannot do, and why."""

    container: Container = field(repr=False)
    only_delivers: bool = False
    """A worker without an HTTP server: it is not ready while a provider's circuit breaker is open."""
    needs_links: bool = False
    """A process that holds links: not ready while one of its own is down. One that waits for a lease is."""
    draining: bool = False
    database_fault: str = ""
    probed_at: float = float("-inf")
    probing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def find_faults(self) -> list[str]:
        """Return a line for each part that fails, e.g. `database: read_only`; empty when ready."""
        if self.draining:
            return ["process: draining"]
        fault = await self._probe_database()
        faults = [f"database: {fault}"] if fault else []
        if self.needs_links:
            faults += self.container.links.pool.find_faults()
        return [*faults, *(self._lost_parts() if self.only_delivers else ())]

    def find_warnings(self) -> list[str]:
        """Return a line for each part this process does without, e.g. a provider's open circuit."""
        difference = describe_difference(self.container.clock)
        clock = [f"clock: this host is {difference} of the database"] if difference else []
        return [*clock, *self._lost_parts()]

    def _lost_parts(self) -> list[str]:
        sessions = self.container.sessions
        is_degraded = isinstance(sessions, FallbackSessions) and sessions.is_degraded
        lost = ["sessions: Redis does not answer, kept in memory"] if is_degraded else []
        return [*lost, *self._open_circuits(), *self.container.links.pool.find_faults()]

    async def _probe_database(self) -> str:
        """Return why the database takes no write, empty if it does; measured once per PROBE_SECONDS."""
        async with self.probing:
            loop = asyncio.get_running_loop()
            if loop.time() - self.probed_at < PROBE_SECONDS:
                return self.database_fault
            fault = await self._write_row()
            if fault and fault != self.database_fault:
                log.error("readiness.failed", extra={"part": "database", "reason": fault})
            self.database_fault, self.probed_at = fault, loop.time()
            return fault

    async def _write_row(self) -> str:
        try:
            await check_writable(self.container.database, READY_SECONDS)
        except Failure as failure:
            return failure_reason(failure)
        return ""

    def _open_circuits(self) -> Iterator[str]:
        for (operator, route), outbound in self.container.metrics.routes.items():
            for provider in outbound.providers:
                if provider.breaker.probe_at is not None:
                    name = provider.breaker.name.rpartition("/")[2]
                    yield f"delivery {operator} {route} {name}: circuit open"
