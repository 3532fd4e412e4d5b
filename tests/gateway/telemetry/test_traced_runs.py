"""Traced bulk runs: one span a run, the deliveries of its messages link to it; tickets link to their turn."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time

import pytest

from flows.domain.trace_scope import current_trace_parent
from gateway.cli import notify, remind
from gateway.telemetry.traced_runs import RunScope
from tests.support.fakes.help_desk import FakeHelpDesk
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.otlp_collector import OtlpCollector, run_collector
from tests.support.traced_gateway import TracedGateway, open_traced, telemetry_settings

TRACE_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ANA, PAUL = "+40740000101", "+33600000102"


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with run_collector() as running:
        yield running


async def notify_cycle(gateway: TracedGateway, *, is_rehearsal: bool = False) -> None:
    """Announce the bills of the month, three notices, and deliver them."""
    container = gateway.sandbox.container
    container.operators[OPERATOR].billing = gateway.sandbox.faulty_billing.inner
    args = argparse.Namespace(operator=OPERATOR, cycle="", listen=False, dry_run=is_rehearsal, confirm=0)
    assert await notify.run_notify(args, container) == 0
    assert current_trace_parent() == ""
    await gateway.deliver_all()


async def test_the_notices_of_a_bill_run_link_to_its_one_span(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await notify_cycle(gateway)
    names = Counter(span.name for span in collector.spans)
    (run,), deliveries = collector.named("run"), collector.named("delivery")
    assert (run["operator"], run["kind"], run.parent_id) == (OPERATOR, "bill_notices", "")
    assert len(deliveries) == 3 and all(each.links == ((run.trace_id, run.span_id),) for each in deliveries)
    assert names.keys() == {"run", "delivery", "provider.send"}, "no call of the run has a span"


async def test_the_reminders_of_a_run_link_to_its_span(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        container = gateway.sandbox.container
        container.operators[OPERATOR].billing = gateway.sandbox.faulty_billing.inner
        account = (await container.operators[OPERATOR].billing.get_subscriber(ANA)).account
        (bill, *_) = await container.operators[OPERATOR].billing.list_bills(account, 1)
        noon = datetime.combine(bill.due, time(12), UTC)
        gateway.sandbox.clock.advance(noon - gateway.sandbox.clock())
        assert await remind.run_reminders(argparse.Namespace(operator=OPERATOR), container) == 0
        await gateway.deliver_all()
    (run,) = collector.named("run")
    steps = [each for each in collector.named("delivery") if each["step"]]
    assert steps and all(each.links == ((run.trace_id, run.span_id),) for each in steps)


@pytest.mark.parametrize(("share", "count"), [(0.25, 1), (0, 0)])
async def test_of_a_run_a_share_of_the_deliveries_is_traced(
    sandboxes: SandboxFactory, collector: OtlpCollector, share: float, count: int
) -> None:
    async with open_traced(sandboxes, collector, sample_ratio=share) as gateway:
        await notify_cycle(gateway)
        assert len(gateway.vendor.requests) == 3
    assert len(collector.named("run")) == len(collector.named("delivery")) == count


def test_a_tenth_of_the_messages_of_a_run_is_sampled() -> None:
    scope = RunScope(TRACE_PARENT, 0.1)
    found = Counter(scope.trace_parent for _ in range(1000))
    assert found.keys() == {TRACE_PARENT, TRACE_PARENT[:-2] + "00"} and 99 <= found[TRACE_PARENT] <= 101
    assert {RunScope(TRACE_PARENT, 1.0).trace_parent for _ in range(9)} == {TRACE_PARENT}


async def test_a_rehearsal_is_named_as_one(sandboxes: SandboxFactory, collector: OtlpCollector) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await notify_cycle(gateway, is_rehearsal=True)
    assert [each["kind"] for each in collector.named("run")] == ["bill_rehearsal"]


async def test_a_ticket_reaches_the_desk_linked_to_the_turn_that_opened_it(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with FakeHelpDesk() as desk:
        more = {"operators": {"orange-fr": {"desk": {"kind": "tmf621", "url": desk.url}}}}
        more |= telemetry_settings(collector, {})
        async with sandboxes.open("2026-03-10 09:00", operator="orange-fr", more=more) as sandbox:
            await sandbox.direct_line().send_text(PAUL, sandbox.menu.config.numbers.sms, "RAPPEL")
            await sandbox.direct_line().send_text(PAUL, sandbox.menu.config.numbers.sms, "1")
            while await sandbox.container.outbox_worker.run_once():
                pass
        assert desk.tickets
    (delivery,) = [each for each in collector.named("delivery") if each["kind"] == "ticket"]
    turns = {(each.trace_id, each.span_id) for each in collector.named("turn")}
    assert len(delivery.links) == 1 and set(delivery.links) <= turns
