"""Trace scope: the span under way, as code below the gateway sees it; without tracing an empty one.

The gateway sets it for the time of a turn or a delivery (`gateway/telemetry/`); tasks started meanwhile inherit
it. Messages keep its trace parent, so that the trace of a delivery links to the turn that caused it.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


class TraceScope(Protocol):
    """The span under way."""

    @property
    def trace_parent(self) -> str:
        """W3C `traceparent` of the turn or delivery that all messages of this scope link to, else empty."""

    def record_http_status(self, status: int) -> None:
        """Record the status of the HTTP answer the span is about."""


@dataclass(frozen=True, slots=True)
class UntracedScope:
    """The scope where nothing is traced."""

    trace_parent: str = ""

    def record_http_status(self, status: int) -> None:
        """Record nothing."""


CURRENT_SCOPE: ContextVar[TraceScope] = ContextVar("trace_scope", default=UntracedScope())  # noqa: B039 - frozen


def current_trace_parent() -> str:
    """Return the `traceparent` a message made now links to; empty without tracing."""
    return CURRENT_SCOPE.get().trace_parent


def record_http_status(status: int) -> None:
    """Record the status a called system answered with, in the span of the call."""
    CURRENT_SCOPE.get().record_http_status(status)
