"""Spans: listed attributes only, masked, and nothing outside a turn or delivery."""

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from flows.domain.failures import Down, NotFound
from flows.domain.trace_scope import current_trace_parent, record_http_status
from gateway.telemetry.spans import SpanFactory, format_trace_parent, link_to
from gateway.telemetry.traced_ports import trace_port

NUMBER = "+40740000101"


class Collected(SpanExporter):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def spans(collected: Collected) -> SpanFactory:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(collected))
    return SpanFactory(provider.get_tracer("test"))


class Directory:
    """A port with a call that succeeds, one that fails, and a property."""

    size = 1

    async def find(self, number: str) -> str:
        record_http_status(200)
        return current_trace_parent()

    async def fail(self, error: Exception) -> None:
        raise error


def test_no_attribute_carries_a_number_or_an_unlisted_name(spans: SpanFactory, collected: Collected) -> None:
    with spans.open_turn({"operator": "a", "to": NUMBER, "screen": f"home {NUMBER}"}) as span:
        span.set_attributes({"body": "your code is 123456", "outcome": NUMBER, "subscriber": "a" * 24})
    attributes = dict(collected.spans[0].attributes or {})
    assert set(attributes) == {f"dialtree.{name}" for name in ("operator", "screen", "outcome", "subscriber")}
    assert attributes["dialtree.subscriber"] == "a" * 24
    assert not [value for value in attributes.values() if "40740000101" in str(value)]


async def test_a_call_within_a_turn_is_a_span_with_its_status(spans: SpanFactory, collected: Collected) -> None:
    directory = trace_port(Directory(), "directory", spans, {"operator": "a"})
    with spans.open_turn({}) as turn:
        assert await directory.find(NUMBER) == turn.trace_parent != ""
    call = collected.spans[0]
    assert (call.name, directory.size) == ("directory.find", 1)
    assert dict(call.attributes or {}) == {"dialtree.operator": "a", "http.response.status_code": 200}


async def test_a_call_outside_turns_is_none(spans: SpanFactory, collected: Collected) -> None:
    assert await trace_port(Directory(), "directory", spans, {}).find(NUMBER) == ""
    assert not collected.spans


@pytest.mark.parametrize(("error", "status"), [(NotFound(NUMBER), "UNSET"), (Down(NUMBER), "ERROR")])
async def test_a_failure_is_told_by_its_class_alone(
    spans: SpanFactory, collected: Collected, error: Exception, status: str
) -> None:
    with spans.open_turn({}):
        with pytest.raises(type(error)):
            await trace_port(Directory(), "directory", spans, {}).fail(error)
    call = collected.spans[0]
    assert dict(call.attributes or {}) == {"error.type": type(error).__name__}
    assert (call.status.status_code.name, call.status.description, call.events) == (status, None, ())


def test_a_trace_parent_is_read_as_it_was_written(spans: SpanFactory, collected: Collected) -> None:
    with spans.open_turn({}) as turn:
        (link,) = link_to(turn.trace_parent)
    assert format_trace_parent(link.context) == turn.trace_parent


@pytest.mark.parametrize("text", ["", "00-1-2-01", f"00-{'0' * 32}-{'0' * 16}-01", NUMBER, "x" * 10_000])
def test_what_is_no_trace_parent_links_to_nothing(text: str) -> None:
    assert link_to(text) == []
