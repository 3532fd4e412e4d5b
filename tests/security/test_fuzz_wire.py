"""A small run of the wire fuzz (`python -m tests.security.fuzz_wire` is the large one)."""

import pytest

from tests.security.fuzz_wire import FuzzReport, run_fuzz
from tests.support.gateway_sandbox import GatewaySandbox


@pytest.fixture
async def report(sandbox: GatewaySandbox) -> FuzzReport:
    return await run_fuzz(sandbox, 600, 7)


async def test_every_request_is_answered_and_a_refusal_writes_nothing(report: FuzzReport) -> None:
    assert (report.server_errors, report.unanswered, report.written_by_refusals) == (0, [], 0)
    assert report.statuses[200] >= 10 and report.statuses[400] >= 30


async def test_no_callback_of_the_event_loop_takes_long(report: FuzzReport) -> None:
    assert report.longest_stall_seconds < 0.05
