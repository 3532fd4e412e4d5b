"""Timeouts of awaited work: every way a bounded wait can end."""

import asyncio

import pytest

from gateway.http.deadline import with_timeout


async def wait_turns(turns: int, answer: str = "done") -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return answer


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_it_returns_what_the_work_returns(turns: int) -> None:
    assert await with_timeout(60, wait_turns(turns)) == "done"


async def test_work_over_its_deadline_is_cancelled_and_may_clean_up() -> None:
    left: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("cleaned")

    with pytest.raises(TimeoutError):
        await with_timeout(0.01, for_ever())
    assert left == ["cleaned"]


@pytest.mark.parametrize("turns", [0, 2])
async def test_an_exception_of_the_work_is_raised(turns: int) -> None:
    async def broken() -> None:
        await wait_turns(turns)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await with_timeout(60, broken())


async def test_an_exception_of_an_awaited_future_reaches_the_work() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def hopeful() -> str:
        try:
            return await told
        except ConnectionError:
            return await wait_turns(1, "another way")

    task = asyncio.create_task(with_timeout(60, hopeful()))
    await wait_turns(1)
    told.set_exception(ConnectionError())
    assert await task == "another way"


async def test_a_nested_deadline_is_independent() -> None:
    """An inner timeout that begins before the outer one ends only what it bounds."""

    async def patient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        return await wait_turns(2, "went on")

    assert await with_timeout(60, patient()) == "went on"


async def test_cancelled_from_outside_is_no_timeout() -> None:
    task = asyncio.create_task(with_timeout(60, wait_turns(1_000_000)))
    await wait_turns(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
