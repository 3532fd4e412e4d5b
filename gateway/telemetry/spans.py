"""Spans: opened and given attributes here only; attributes are allow-listed and masked."""

from collections.abc import Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from flows.domain.failures import Refused
from flows.domain.trace_scope import CURRENT_SCOPE, TraceScope
from gateway.observability.logging import redact_field

AttributeValues = Mapping[str, str | int]
"""Attributes by the name without the prefix, see `ALLOWED_ATTRIBUTES`."""
ALLOWED_ATTRIBUTES = frozenset(
    {"operator", "channel", "provider", "screen", "origin", "outcome", "action", "language", "revision"}
    | {"route", "kind", "step", "state", "attempt", "messages", "subscriber"}
)
"""Attributes a span may carry, each with `PREFIX`; others are dropped. `subscriber` is the logs' keyed hash."""
PREFIX = "dialtree."
HTTP_STATUS, ERROR_TYPE = "http.response.status_code", "error.type"
"""Standard attributes: the status a called system answered, and the class of a failure, never its message."""
TRACE_PARENT = "traceparent"
RUN_SPAN = "run"
"""Name of the span of a bulk run, which is sampled wherever anything is: there are few, and many link to it."""
_PROPAGATOR = TraceContextTextMapPropagator()


def parse_trace_parent(text: str) -> Context:
    """Return the context of a W3C `traceparent`; an empty one for anything else."""
    return _PROPAGATOR.extract({TRACE_PARENT: text}, Context())


def link_to(trace_parent: str) -> Sequence[Link]:
    """Return a link to the span of a `traceparent`; none when it is empty or invalid."""
    linked = get_current_span(parse_trace_parent(trace_parent)).get_span_context()
    return [Link(linked)] if linked.is_valid else []


def format_trace_parent(span: SpanContext) -> str:
    """Return the W3C `traceparent` of a span."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def allowed_attributes(values: AttributeValues) -> dict[str, str | int]:
    """Return the attributes a span may carry; numbers and addresses in them are masked, as in logs."""
    return {
        PREFIX + name: value if isinstance(value, int) else redact_field(name, value)
        for name, value in values.items()
        if name in ALLOWED_ATTRIBUTES
    }


class OpenSpan:
    """A span under way, used as a context manager: what is opened and enqueued meanwhile belongs to it."""

    __slots__ = ("_context_token", "_scope_token", "span", "trace_parent")

    def __init__(self, span: Span, trace_parent: str) -> None:
        self.span = span
        self.trace_parent = trace_parent
        """What messages enqueued meanwhile link to; empty outside turns and deliveries."""
        self._context_token: Token[Context] | None = None
        self._scope_token: Token[TraceScope] | None = None

    def __enter__(self) -> Self:
        """Make it the span under way."""
        self._context_token = otel_context.attach(set_span_in_context(self.span))
        self._scope_token = CURRENT_SCOPE.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Record the class of a failure and end the span."""
        if error is not None:
            self.record_failure(error)
        if self._scope_token is not None and self._context_token is not None:
            CURRENT_SCOPE.reset(self._scope_token)
            otel_context.detach(self._context_token)
        self.span.end()

    @property
    def is_recording(self) -> bool:
        """Whether it is sampled and has not ended."""
        return self.span.is_recording()

    def set_attributes(self, values: AttributeValues) -> None:
        """Set attributes, as far as they are allowed."""
        if self.is_recording:
            self.span.set_attributes(allowed_attributes(values))

    def add_event(self, name: str, values: AttributeValues) -> None:
        """Add an event that happened now, with allowed attributes."""
        self.span.add_event(name, allowed_attributes(values))

    def record_http_status(self, status: int) -> None:
        """Record the status of the HTTP answer the span is about."""
        if self.is_recording:
            self.span.set_attribute(HTTP_STATUS, status)

    def record_failure(self, error: BaseException) -> None:
        """Record the class of a failure; a refusal by the called system is an answer, and no error."""
        if self.is_recording:
            self.span.set_attribute(ERROR_TYPE, type(error).__name__)
            if not isinstance(error, Refused):
                self.span.set_status(Status(StatusCode.ERROR))


class UnrecordedSpan:
    """Stands for a span where nothing is recorded: outside turns and deliveries, and where not sampled."""

    __slots__ = ()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def set_attributes(self, values: AttributeValues) -> None:
        """Set nothing."""

    def record_failure(self, error: BaseException) -> None:
        """Record nothing."""


UNRECORDED = UnrecordedSpan()


@dataclass(frozen=True, slots=True)
class SpanFactory:
    """Opens spans."""

    tracer: Tracer = field(repr=False)

    def open_request(self, name: str, values: AttributeValues, parent: Context) -> OpenSpan:
        """Open the span of an inbound request, the root of a trace or a child of a trusted caller's span."""
        span = self.tracer.start_span(name, parent, SpanKind.SERVER, allowed_attributes(values))
        return OpenSpan(span, "")

    def open_turn(self, values: AttributeValues) -> OpenSpan:
        """Open the span of a turn, below that of its request if there is one."""
        span = self.tracer.start_span("turn", attributes=allowed_attributes(values))
        return OpenSpan(span, format_trace_parent(span.get_span_context()))

    def open_run(self, values: AttributeValues) -> OpenSpan:
        """Open the root span of a bulk run."""
        span = self.tracer.start_span(RUN_SPAN, Context(), attributes=allowed_attributes(values))
        return OpenSpan(span, format_trace_parent(span.get_span_context()))

    def open_delivery(self, values: AttributeValues, links: Sequence[Link], start_time: int) -> OpenSpan:
        """Open the root span of a delivery that began at `start_time` (ns since 1970), linked to turns."""
        attributes = allowed_attributes(values)
        span = self.tracer.start_span(
            "delivery", Context(), SpanKind.CONSUMER, attributes, links, start_time=start_time
        )
        return OpenSpan(span, format_trace_parent(span.get_span_context()))

    def open_call(
        self, name: str, values: AttributeValues, kind: SpanKind = SpanKind.CLIENT
    ) -> OpenSpan | UnrecordedSpan:
        """Open the span of a call within a turn or delivery; anywhere else nothing is recorded."""
        scope = CURRENT_SCOPE.get()
        if not isinstance(scope, OpenSpan) or not scope.is_recording:
            return UNRECORDED
        span = self.tracer.start_span(name, kind=kind, attributes=allowed_attributes(values))
        return OpenSpan(span, scope.trace_parent)
