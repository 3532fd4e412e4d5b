"""A small run of the wire fuzz (`python -m tests.security.fuzz_wire` is the large one)."""

import asyncio
import gc
import time

import pytest

from tests.security.fuzz_targets import describe_operations, fuzz_settings, list_targets
from tests.security.fuzz_wire import FuzzReport, run_fuzz
from tests.security.loop_stalls import StallMeter, measured_callbacks
from tests.support.gateway_sandbox import SandboxFactory


@pytest.fixture
async def report(sandboxes: SandboxFactory) -> FuzzReport:
    async with sandboxes.open(more=fuzz_settings()) as sandbox:
        return await run_fuzz(sandbox, 800, 7)


async def test_every_request_is_answered_and_a_refusal_writes_nothing(report: FuzzReport) -> None:
    assert (report.failed, report.unanswered, report.written_by_refusals) == ([], [], 0)
    assert report.statuses[200] >= 200 and report.statuses[400] >= 100 and report.statuses[204] >= 1


async def test_no_callback_of_the_event_loop_takes_long(report: FuzzReport) -> None:
    assert report.longest_stall_seconds < 0.05, report.stalls


async def test_every_described_operation_is_fuzzed(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(more=fuzz_settings()) as sandbox:
        targets = list_targets(sandbox.container)
        missing = describe_operations(sandbox.container) - {(each.method, each.route) for each in targets}
    assert not missing and len({each.route for each in targets}) > 30


async def test_a_stall_is_reported_with_its_callback_and_place() -> None:
    async def stall() -> None:
        spend(0.03)

    with measured_callbacks() as meter:
        await asyncio.create_task(stall())
    assert meter.longest[0].seconds >= 0.03 and meter.longest[0].callback.endswith("stall")
    assert "test_fuzz_wire.py" in meter.longest[0].place


def spend(seconds: float) -> None:
    """Use so much processor time of this thread."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        gc.isenabled()


async def test_the_end_of_a_measurement_is_no_stall() -> None:
    async def measure_and_clean_up() -> StallMeter:
        with measured_callbacks() as meter:
            await asyncio.sleep(0)
        spend(0.03)  # what the same callback does afterwards
        return meter

    meter = await asyncio.create_task(measure_and_clean_up())
    assert meter.longest[0].seconds < 0.03


async def test_a_collection_in_another_thread_is_a_stall() -> None:
    with measured_callbacks() as meter:
        await asyncio.to_thread(gc.collect)
    assert any(each.place == "garbage collection" for each in meter.longest)
