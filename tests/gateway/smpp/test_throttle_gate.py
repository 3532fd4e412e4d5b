"""Back-off from throttling: all stop, one probe goes alone, all go on; and the wait before a new bind."""

import asyncio

import pytest

from gateway.reconnect_wait import next_wait
from gateway.smpp.throttle_gate import StillThrottled, ThrottleGate
from gateway.smpp.wire.protocol import Status


class ManualSeconds:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def closed_gate() -> tuple[ThrottleGate, ManualSeconds]:
    clock = ManualSeconds()
    gate = ThrottleGate(1.0, clock)
    assert gate.settle(Status.THROTTLED, was_probe=False)
    return gate, clock


async def test_an_open_gate_lets_everybody_through() -> None:
    gate = ThrottleGate(1.0, ManualSeconds())
    assert [await gate.enter(5.0) for _ in range(3)] == [False, False, False]


async def test_nobody_passes_during_the_pause() -> None:
    gate, _ = closed_gate()
    with pytest.raises(StillThrottled) as pause:
        await gate.enter(0.5)
    assert pause.value.seconds == 1.0


async def test_behind_the_pause_one_probe_goes_alone() -> None:
    gate, clock = closed_gate()
    clock.seconds = 1.0
    assert await gate.enter(9.0)
    waiting = [asyncio.create_task(gate.enter(9.0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    gate.settle(Status.OK, was_probe=True)
    assert await asyncio.gather(*waiting) == [False, False, False]


async def test_a_throttled_probe_doubles_the_pause() -> None:
    gate, clock = closed_gate()
    clock.seconds = 1.0
    await gate.enter(9.0)
    gate.settle(Status.THROTTLED, was_probe=True)
    with pytest.raises(StillThrottled) as pause:
        await gate.enter(2.0)
    assert pause.value.seconds == 2.0


async def test_a_probe_without_an_answer_makes_room_for_the_next() -> None:
    gate, clock = closed_gate()
    clock.seconds = 1.0
    await gate.enter(9.0)
    gate.settle(None, was_probe=True)
    assert await gate.enter(9.0)


async def test_answers_that_were_under_way_do_not_lengthen_the_pause() -> None:
    gate, clock = closed_gate()
    clock.seconds = 0.9
    gate.settle(Status.THROTTLED, was_probe=False)
    gate.settle(Status.OK, was_probe=False)
    clock.seconds = 1.0
    assert await gate.enter(9.0)


@pytest.mark.parametrize(
    ("failures", "fraction", "seconds"),
    [(0, 0.0, 0.25), (0, 1.0, 0.5), (3, 0.5, 3.0), (9, 1.0, 30.0), (99, 0.0, 15.0)],
)
def test_the_wait_for_a_bind_doubles_and_is_spread(failures: int, fraction: float, seconds: float) -> None:
    assert next_wait(failures, wrong_credentials=False, fraction=fraction) == seconds


def test_wrong_credentials_wait_a_minute() -> None:
    assert next_wait(1, wrong_credentials=True, fraction=0.1) == 60.0
