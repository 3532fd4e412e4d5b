"""Log rate limit: floods of one kind are cut and counted, other kinds and conversations are written."""

import logging

import pytest

from gateway.observability.log_limit import MAX_KINDS, MAX_RECORDS, LogRateLimit


def record(
    level: int = logging.ERROR, name: str = "asyncio", message: str = "accept failed"
) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, None, None)


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def limit(clock: list[float]) -> LogRateLimit:
    return LogRateLimit(lambda: clock[0])


def test_a_flood_is_cut(limit: LogRateLimit) -> None:
    assert sum(limit.filter(record()) for _ in range(10_000)) == MAX_RECORDS


def test_the_next_minute_tells_how_many_were_left_out(limit: LogRateLimit, clock: list[float]) -> None:
    for _ in range(MAX_RECORDS + 7):
        limit.filter(record())
    clock[0] = 61.0
    later = record()
    assert limit.filter(later)
    assert getattr(later, "suppressed", 0) == 7


def test_a_flood_hides_no_other_kind(limit: LogRateLimit) -> None:
    for _ in range(1_000):
        limit.filter(record())
    assert limit.filter(record(message="another")) and limit.filter(record(name="dialtree.delivery"))


def test_conversations_are_all_written(limit: LogRateLimit) -> None:
    assert all(limit.filter(record(logging.INFO, "dialtree.conversation", "ended")) for _ in range(1_000))


def test_kinds_take_bounded_memory(limit: LogRateLimit) -> None:
    for number in range(MAX_KINDS * 2):
        limit.filter(record(message=f"kind {number}"))
    assert len(limit.windows) == MAX_KINDS


def test_an_outage_is_one_line_a_minute_with_the_count_of_the_others(
    limit: LogRateLimit, clock: list[float]
) -> None:
    written = 0
    for second in range(180):
        clock[0] = float(second)
        line = record(logging.WARNING, "dialtree.delivery", "outbox.unavailable")
        written += limit.filter(line)
    assert written == 3
    clock[0] = 180.0
    line = record(logging.WARNING, "dialtree.delivery", "outbox.unavailable")
    assert limit.filter(line) and getattr(line, "suppressed", 0) == 59
