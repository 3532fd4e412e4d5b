"""A host whose clock differs from the database's: warning, metric and readiness line; log lines are right."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gateway.clock import MonotonicClock
from gateway.observability.host_clock import HostClockAlarm, describe_difference
from gateway.observability.logging import JsonFormatter, log_by_clock
from gateway.server.health import Health
from gateway.wiring.container import Container, build_container
from gateway.wiring.operators import Overrides
from tests.support.databases import NOW
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.shipped_packs import compile_once


@dataclass
class Host:
    """A host's two clocks, both set by hand."""

    wall: datetime = NOW
    seconds: float = 0.0

    def pass_seconds(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def clock(host: Host) -> MonotonicClock:
    return MonotonicClock(lambda: host.wall, lambda: host.seconds)


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, str]]]:
    """Provide the JSON lines logged during a test, as a process of ours formats them."""
    lines: list[dict[str, str]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    collector, root = Collector(), logging.getLogger()
    collector.setFormatter(JsonFormatter())
    root.addHandler(collector)
    logging.getLogger("dialtree").setLevel(logging.INFO)
    yield lines
    logging.getLogger("dialtree").setLevel(logging.NOTSET)
    root.removeHandler(collector)


@asynccontextmanager
async def container_on_wrong_host(sandbox: GatewaySandbox, ahead: timedelta) -> AsyncIterator[Container]:
    """Open a second process's container on the sandbox's database, its host's clock so much ahead."""
    wrong = Overrides(now=MonotonicClock(lambda: datetime.now(UTC) + ahead))
    async with build_container(sandbox.container.settings, overrides=wrong, load=compile_once) as built:
        yield built


async def test_a_start_on_a_host_that_is_days_ahead_says_so_everywhere(
    sandbox: GatewaySandbox, log_lines: list[dict[str, str]]
) -> None:
    async with container_on_wrong_host(sandbox, timedelta(days=3)) as built:
        assert abs(built.clock() - datetime.now(UTC)) < timedelta(hours=1)
        warnings = Health(built).find_warnings()
        exposition = built.metrics_registry.render_exposition().decode()
    assert [each["difference"] for each in log_lines if each["event"] == "server.host_clock_differs"]
    assert len(warnings) == 1 and warnings[0].startswith("clock: this host is 3 days, 0:0")
    (sample,) = [
        each for each in exposition.splitlines() if each.startswith("dialtree_host_clock_difference_seconds ")
    ]
    assert abs(float(sample.split()[1]) - 259200) < 3600


async def test_a_wrong_clock_of_the_host_takes_no_worker_out(sandbox: GatewaySandbox) -> None:
    async with container_on_wrong_host(sandbox, timedelta(days=-3)) as built:
        health = Health(built, only_delivers=True)
        assert await health.find_faults() == []
        assert health.find_warnings()[0].endswith("behind of the database")


async def test_a_host_that_keeps_time_is_not_warned_about(
    sandbox: GatewaySandbox, log_lines: list[dict[str, str]]
) -> None:
    async with container_on_wrong_host(sandbox, timedelta()) as built:
        assert Health(built).find_warnings() == []
    assert "server.host_clock_differs" not in [each["event"] for each in log_lines]


def test_log_lines_carry_the_databases_time_and_not_the_hosts(
    host: Host, clock: MonotonicClock, log_lines: list[dict[str, str]]
) -> None:
    clock.synchronise(NOW - timedelta(days=3))
    with log_by_clock(clock):
        host.pass_seconds(10)
        logging.getLogger("dialtree.server").warning("one")
    assert log_lines[-1]["time"] == (NOW - timedelta(days=3, seconds=-10)).isoformat(timespec="milliseconds")
    logging.getLogger("dialtree.server").warning("two")
    assert datetime.fromisoformat(log_lines[-1]["time"]) > NOW


def test_one_line_when_the_clocks_part_and_one_when_they_agree(
    host: Host, clock: MonotonicClock, log_lines: list[dict[str, str]]
) -> None:
    alarm = HostClockAlarm(clock)
    alarm.review_difference()
    host.wall += timedelta(minutes=5)
    for _ in range(3):
        alarm.review_difference()
    host.wall -= timedelta(minutes=5)
    for _ in range(3):
        alarm.review_difference()
    events = [(each["event"], each.get("difference")) for each in log_lines]
    assert events == [
        ("server.host_clock_differs", "0:05:00 ahead"),
        ("server.host_clock_agrees", None),
    ]


@pytest.mark.parametrize(
    ("ahead", "round_trip", "words"),
    [
        (2.0, 0.0, ""),
        (-2.0, 0.0, ""),
        (3.0, 0.0, "0:00:03 ahead"),
        (-3.0, 0.0, "0:00:03 behind"),
        (5.0, 4.0, ""),
        (-90.0, 4.0, "0:01:32 behind"),
        (-1_773_480_413.0, 0.0, "20526 days, 9:26:53 behind"),
    ],
)
def test_a_difference_counts_beyond_two_seconds_and_the_error_of_the_reading(
    host: Host, clock: MonotonicClock, ahead: float, round_trip: float, words: str
) -> None:
    clock.synchronise(NOW - timedelta(seconds=ahead), round_trip)
    assert describe_difference(clock) == words
