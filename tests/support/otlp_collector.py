"""OTLP collector on loopback: receives traces and metrics by HTTP and protobuf, or misbehaves."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as the collector got it; ids in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Mapping[str, str | int]
    links: tuple[tuple[str, str], ...]
    """Trace and span of each link."""
    events: tuple[str, ...]
    is_error: bool
    milliseconds: float

    def __getitem__(self, name: str) -> str | int | None:
        """Return one of our own attributes."""
        return self.attributes.get(f"dialtree.{name}")


@dataclass(slots=True)
class OtlpCollector:
    """What was received; `status` is what further exports are answered, 0 for no answer at all."""

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    traces: list[bytes] = field(default_factory=list)
    metrics: list[bytes] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set by each request."""
    released: threading.Event = field(default_factory=threading.Event)
    """Lets requests without an answer go."""

    @property
    def spans(self) -> list[ReceivedSpan]:
        """All spans received."""
        requests = [ExportTraceServiceRequest.FromString(each) for each in self.traces]
        return [
            _read_span(span)
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metric_points(self) -> dict[str, list[Any]]:
        """The points of the last export of metrics, by the metric's name."""
        request = ExportMetricsServiceRequest.FromString(self.metrics[-1])
        metrics = [each for r in request.resource_metrics for s in r.scope_metrics for each in s.metrics]
        return {each.name: list(getattr(each, each.WhichOneof("data")).data_points) for each in metrics}

    def named(self, name: str) -> list[ReceivedSpan]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keep a request; return the status to answer, 0 once it may be dropped."""
        self.bodies.append(body)
        self.headers.append(headers)
        (self.traces if path == "/v1/traces" else self.metrics).append(body)
        self.arrived.set()
        if self.status == 0:
            self.released.wait()
        return self.status


def _read_span(span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes},
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        tuple(event.name for event in span.events),
        span.status.code == 2,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
    )


@contextmanager
def run_collector() -> Iterator[OtlpCollector]:
    """Serve a collector on loopback for the duration of the block."""
    collector = OtlpCollector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = collector.receive(self.path, dict(self.headers), body)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        yield collector
        collector.released.set()
        server.shutdown()
