"""Bounded waits: a deadline for what waits, with every way a wait can end."""

import asyncio

import pytest

from gateway.bounded import Limit


async def waiting(turns: int, answer: str = "done") -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return answer


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_it_returns_what_the_work_returns(turns: int) -> None:
    assert await Limit(60).within(waiting(turns)) == "done"


async def test_what_never_ends_is_stopped_and_may_clean_up() -> None:
    left: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("cleaned")

    with pytest.raises(TimeoutError):
        await Limit(0.01).within(for_ever())
    assert left == ["cleaned"]


@pytest.mark.parametrize("turns", [0, 2])
async def test_what_the_work_raises_comes_out(turns: int) -> None:
    async def broken() -> None:
        await waiting(turns)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await Limit(60).within(broken())


async def test_what_a_wait_raises_reaches_the_work() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def hopeful() -> str:
        try:
            return await told
        except ConnectionError:
            return await waiting(1, "another way")

    task = asyncio.create_task(Limit(60).within(hopeful()))
    await waiting(1)
    told.set_exception(ConnectionError())
    assert await task == "another way"


async def test_a_deadline_within_is_its_own() -> None:
    """An inner timeout begun before the outer one ends only what it bounds."""

    async def patient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        return await waiting(2, "went on")

    assert await Limit(60).within(patient()) == "went on"


async def test_cancelled_from_outside_is_no_timeout() -> None:
    task = asyncio.create_task(Limit(60).within(waiting(1_000_000)))
    await waiting(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_each_of_many_has_the_whole_time_for_itself() -> None:
    """Those who began later, while the timer ran for another, are stopped later, each one."""
    limit, loop = Limit(0.02), asyncio.get_running_loop()

    async def stopped_after() -> float:
        began = loop.time()
        with pytest.raises(TimeoutError):
            await limit.within(asyncio.Event().wait())
        return loop.time() - began

    first = asyncio.create_task(stopped_after())
    await asyncio.wait([first], timeout=0.01)
    later = [asyncio.create_task(stopped_after()) for _ in range(3)]
    assert min(await asyncio.gather(first, *later)) >= 0.02
    assert await stopped_after() >= 0.02


async def test_what_outlives_its_end_is_not_stopped_twice() -> None:
    limit = Limit(0.01)

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with pytest.raises(TimeoutError):
                await limit.within(asyncio.Event().wait())
        return await waiting(2, "went on")

    assert await limit.within(stubborn()) == "went on"
    task = asyncio.current_task()
    assert task and not task.cancelling()


async def test_cancelled_from_outside_as_its_time_ends_is_no_timeout() -> None:
    """Both at once: whoever cancelled must hear that it was."""

    async def cancelling() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task.cancel()
            raise

    task = asyncio.create_task(Limit(0.01).within(cancelling()))
    with pytest.raises(asyncio.CancelledError):
        await task
