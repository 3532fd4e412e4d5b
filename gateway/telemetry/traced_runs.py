"""Traced bulk runs: one span for a run, to which the deliveries of its messages link."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.domain.trace_scope import CURRENT_SCOPE
from gateway.telemetry.spans import SpanFactory


class RunScope:
    """The scope of a run: every message links to it, and a share of them as sampled; its calls get no spans.

    A run makes a million messages: each delivery would be traced if all followed the run's own span.
    """

    __slots__ = ("_due", "_sampled", "_share", "_unsampled")

    def __init__(self, trace_parent: str, share: float) -> None:
        self._sampled = trace_parent
        self._unsampled = trace_parent[:-2] + "00"
        self._share = share
        self._due = 1.0
        """Sampled messages that are owed: the first message is one."""

    @property
    def trace_parent(self) -> str:
        """W3C `traceparent` of the run for the next message; of `share` of them with the flag `sampled`."""
        if self._due < 1.0:
            self._due += self._share
            return self._unsampled
        self._due += self._share - 1.0
        return self._sampled

    def record_http_status(self, status: int) -> None:
        """Record nothing: the calls of a run get no spans."""


@contextmanager
def open_run(spans: SpanFactory, operator: str, kind: str, share: float) -> Iterator[None]:
    """Run the block in a span of its own; messages made meanwhile link to it, `share` of them as sampled."""
    with spans.open_run({"operator": operator, "kind": kind}) as span:
        token = CURRENT_SCOPE.set(RunScope(span.trace_parent, share) if span.is_recording else span)
        try:
            yield
        finally:
            CURRENT_SCOPE.reset(token)
