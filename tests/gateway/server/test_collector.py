"""Garbage collection: what it has to look at does not grow with the conversations a process holds."""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from flows.domain.ports import SessionKey
from gateway.server.garbage_collection import tune_garbage_collector
from storage.sessions.memory_store import MemorySessions
from tests.support.gateway_sandbox import GatewaySandbox

WARM_UP_COUNT = 200
"""Conversations until caches of statements have filled up."""
CONVERSATION_COUNT = 60
PASSING = ("ReferenceType", "builtin_function_or_method", "TimerHandle", "Context")
"""What comes and goes: SQLite's references to its last 200 cursors, and cancelled timers."""


@pytest.fixture(autouse=True)
def usual_collector() -> Iterator[None]:
    """Restore the thresholds; what was frozen stays so, as all tests and modules were before (`conftest.py`).

    Thawed, they make each full run for the rest of the tests two seconds long.
    """
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)


def count_tracked() -> Counter[str]:
    """Return how many objects a full run of the collector visits, by class."""
    for _ in range(3):  # a tuple of tuples is left out once those inside it are
        gc.collect()
    return Counter(name for each in gc.get_objects() if (name := type(each).__name__) not in PASSING)


async def hold_conversations(sandbox: GatewaySandbox, numbers: range) -> None:
    """Dial, press a key and say no more: the sessions wait. The callers' profiles expire meanwhile."""
    line = sandbox.direct_line()
    for number in numbers:
        await line.dial(f"+4074{number:07}", "*100#")
        await line.press("1")
        sandbox.clock.advance(timedelta(seconds=31))


async def count_growth(sandbox: GatewaySandbox, first: int) -> Counter[str]:
    """Return what the collector visits more after so many conversations, by class."""
    before = count_tracked()
    await hold_conversations(sandbox, range(first, first + CONVERSATION_COUNT))
    return count_tracked() - before


async def test_waiting_conversations_are_not_visited(sandbox: GatewaySandbox) -> None:
    tune_garbage_collector()
    await hold_conversations(sandbox, range(WARM_UP_COUNT))
    rounds = [await count_growth(sandbox, WARM_UP_COUNT + each * CONVERSATION_COUNT) for each in range(2)]
    grown = min(rounds, key=Counter.total)  # a statement may be compiled in one of them, but not in both
    assert grown.total() < CONVERSATION_COUNT / 2, grown.most_common(8)


async def test_stored_sessions_and_resume_points_are_plain_values() -> None:
    tune_garbage_collector()
    sessions = MemorySessions(lambda: 0.0)
    before = count_tracked()
    for number in range(500):
        key = SessionKey(f"caller {number}", "ussd", 0.0, "resume", 600.0)
        opened = await sessions.open(key, "1")
        await sessions.save(key, opened, "1", b"session", b"reply", can_resume=True)
    grown = count_tracked() - before
    assert len(sessions) == 500 and grown.total() < 20, grown.most_common(8)


async def test_a_connection_open_at_a_full_run_is_collected_later() -> None:
    class Connection(asyncio.Protocol):
        me: "Connection"

    tune_garbage_collector()
    connection = Connection()
    gc.collect()
    connection.me, ghost = connection, weakref.ref(connection)
    del connection
    gc.collect()
    assert ghost() is None
