"""Circuit breaker: threshold, one probe per wait, a failed probe doubles the wait, Retry-After."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.domain.circuit_breaker import MAX_RETRY_AFTER, CircuitBreaker, clock_from_seconds
from flows.domain.failures import Down

SECOND = timedelta(seconds=1)


class SteppedClock:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.instant

    def pass_seconds(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def changes() -> list[tuple[bool, str]]:
    return []


@pytest.fixture
def breaker(clock: SteppedClock, changes: list[tuple[bool, str]]) -> CircuitBreaker:
    return CircuitBreaker(
        *("any", clock, 2, 4 * SECOND, 10 * SECOND),
        report_change=lambda each: changes.append((each.is_open, each.last_failure)),
    )


def open_circuit(breaker: CircuitBreaker) -> None:
    for _ in range(breaker.failure_threshold):
        breaker.record_failure(Down())


def probe_waits(breaker: CircuitBreaker, clock: SteppedClock, count: int) -> list[float]:
    """Return the waits between failing probes, in seconds."""
    waits = []
    for _ in range(count):
        assert breaker.probe_at is not None
        wait = breaker.probe_at - clock()
        clock.pass_seconds(wait.total_seconds())
        assert breaker.allow_request()
        breaker.record_failure()
        waits.append(wait.total_seconds())
    return waits


def test_failures_count_in_a_row_only(breaker: CircuitBreaker) -> None:
    breaker.record_failure()
    breaker.record_success()
    breaker.record_failure()
    assert not breaker.is_open
    breaker.record_failure()
    assert breaker.is_open and not breaker.allow_request()


def test_one_probe_each_wait_also_when_the_probe_never_reports(
    breaker: CircuitBreaker, clock: SteppedClock
) -> None:
    open_circuit(breaker)
    for _ in range(3):
        clock.pass_seconds(3.9)
        assert not breaker.allow_request()
        clock.pass_seconds(0.1)
        assert [breaker.allow_request() for _ in range(3)] == [True, False, False]


def test_a_failed_probe_doubles_the_wait_up_to_the_longest(
    breaker: CircuitBreaker, clock: SteppedClock
) -> None:
    open_circuit(breaker)
    assert probe_waits(breaker, clock, 4) == [4, 8, 10, 10]


def test_a_success_starts_the_waits_anew(breaker: CircuitBreaker, clock: SteppedClock) -> None:
    open_circuit(breaker)
    probe_waits(breaker, clock, 3)
    breaker.record_success()
    assert breaker.allow_request()
    open_circuit(breaker)
    assert probe_waits(breaker, clock, 1) == [4]


def test_calls_under_way_when_it_opens_do_not_lengthen_the_wait(
    breaker: CircuitBreaker, clock: SteppedClock
) -> None:
    open_circuit(breaker)
    clock.pass_seconds(1)
    for _ in range(20):
        breaker.record_failure()
    breaker.record_failure(at_once=True)
    clock.pass_seconds(3)
    assert breaker.allow_request()


@pytest.mark.parametrize(("asked", "waited"), [(90.0, 90.0), (1e7, MAX_RETRY_AFTER.total_seconds())])
def test_retry_after_opens_it_for_that_long(
    breaker: CircuitBreaker, clock: SteppedClock, asked: float, waited: float
) -> None:
    breaker.pause_for(asked)
    assert breaker.probe_at == clock() + timedelta(seconds=waited)


def test_a_change_is_reported_once_with_the_cause(
    breaker: CircuitBreaker, clock: SteppedClock, changes: list[tuple[bool, str]]
) -> None:
    open_circuit(breaker)
    probe_waits(breaker, clock, 2)
    breaker.record_success()
    breaker.record_success()
    assert [is_open for is_open, _ in changes] == [True, False]
    assert changes[0] == (True, "Down")


def test_seconds_serve_as_a_clock() -> None:
    seconds = iter((100.0, 100.0, 100.5)).__next__
    clock = clock_from_seconds(seconds)
    assert clock() == clock() == clock() - timedelta(seconds=0.5)
