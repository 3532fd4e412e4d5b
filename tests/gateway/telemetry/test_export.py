"""Export: a collector that hangs or fails delays no turn, what is lost is counted, and the extra is named."""

import asyncio
import sys
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pydantic import ValidationError

from gateway.settings_sources import SettingsError
from gateway.telemetry.span_export import BoundedSpans, ExportCollector, ExportTally
from gateway.telemetry_settings import TelemetrySettings
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.otlp_collector import OtlpCollector, run_collector
from tests.support.traced_gateway import open_traced

ANA = "+40740000101"
LATE_SECONDS = 10.0


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with run_collector() as running:
        yield running


def count_spans(exported: ExportCollector) -> Mapping[str, float]:
    """Return the spans by result, as /metrics shows them."""
    spans, _ = exported.collect()
    return {sample.labels["result"]: sample.value for sample in spans.samples}


@pytest.mark.parametrize("status", [0, 500, 400])
async def test_a_collector_that_hangs_or_fails_delays_no_turn_and_no_delivery(
    sandboxes: SandboxFactory, collector: OtlpCollector, status: int
) -> None:
    """The exporter is stuck in its call, or gets errors, while turns and deliveries go on."""
    collector.status = status
    async with open_traced(sandboxes, collector, timeout_seconds=0.5, queue_spans=512) as gateway:
        await gateway.phone.dial(ANA, "*100#")
        await asyncio.to_thread(collector.arrived.wait, LATE_SECONDS)
        async with asyncio.timeout(LATE_SECONDS):
            await gateway.send_text(ANA, "ThankYou1")
            await gateway.deliver_all()
        assert gateway.vendor.requests
        metrics = gateway.sandbox.container.metrics_registry.registry
    failed = metrics.get_sample_value("dialtree_telemetry_spans_total", {"result": "failed"})
    assert failed and not metrics.get_sample_value("dialtree_telemetry_spans_total", {"result": "exported"})


class FailingExporter(SpanExporter):
    """Exports nothing."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_spans_above_the_limit_are_dropped_and_counted() -> None:
    spans = BoundedSpans(FailingExporter(), ExportTally("traces"), 3)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans)
    for _ in range(5):
        provider.get_tracer("test").start_span("each").end()
    counted = count_spans(ExportCollector(ExportTally("metrics"), spans))
    assert counted == {"exported": 0, "failed": 0, "dropped": 2}
    provider.shutdown()
    assert count_spans(ExportCollector(ExportTally("metrics"), spans)) == {**counted, "failed": 3}


async def test_metrics_are_those_of_prometheus_with_their_names_and_labels(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await gateway.phone.dial(ANA, "*100#")
        await gateway.phone.press("9")
        await gateway.send_text(ANA, "ThankYou1")
        registry = gateway.sandbox.container.metrics_registry.registry
    points = collector.metric_points
    shown = {family.name: family for family in registry.collect() if family.samples}
    assert {name.removesuffix("_total") for name, found in points.items() if found} == set(shown)
    (bucketed,) = [
        point for point in points["dialtree_turn_seconds"] if point.attributes[1].value.string_value == "ussd"
    ]
    assert (bucketed.count, sum(bucketed.bucket_counts), len(bucketed.explicit_bounds)) == (2, 2, 11)
    turns = [point.as_double for point in points["dialtree_turns_total"]]
    assert sum(turns) == 3 and points["dialtree_turns_total"][0].time_unix_nano


async def test_metrics_go_without_traces_and_traces_without_metrics(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector, traces=False) as gateway:
        await gateway.send_text(ANA, "ThankYou1")
    assert (len(collector.traces), len(collector.metrics)) == (0, 1)
    async with open_traced(sandboxes, collector, metrics=False) as gateway:
        await gateway.send_text(ANA, "ThankYou1")
    assert collector.traces and len(collector.metrics) == 1


async def test_headers_go_with_each_export(sandboxes: SandboxFactory, collector: OtlpCollector) -> None:
    async with open_traced(sandboxes, collector, headers={"Authorization": "Bearer key"}) as gateway:
        await gateway.send_text(ANA, "ThankYou1")
    assert {each.get("authorization") for each in collector.headers} == {"Bearer key"}


async def test_without_the_extra_the_start_names_field_and_extra(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    for name in [name for name in sys.modules if name.startswith("gateway.telemetry.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SettingsError, match=r"^telemetry\.endpoint: needs the extra otel; .*dialtree\[otel\]"):
        async with sandboxes.open(more={"telemetry": {"endpoint": "http://127.0.0.1:1"}}):
            raise AssertionError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "collector:4318"),
        ("endpoint", "http://user:password@collector"),
        ("sample_ratio", 1.5),
        ("trusted_peers", ["everywhere"]),
        ("ca_file", "/no/such/file"),
        ("queue_spans", 1),
    ],
)
def test_a_wrong_setting_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        TelemetrySettings.model_validate({"endpoint": "http://127.0.0.1:4318", field: value})


async def test_without_the_table_nothing_of_opentelemetry_is_in_the_way(sandboxes: SandboxFactory) -> None:
    """The parts are the plain ones, so that a turn costs what it did."""
    async with sandboxes.open() as sandbox:
        container = sandbox.container
        parts = (container.conversations, container.webhooks, container.outbox_worker)
        assert [type(part).__name__ for part in parts] == ["TurnEngine", "WebhookHandler", "OutboxWorker"]
        assert type(container.operators[OPERATOR].ledger).__name__ == "SqlLedger"
