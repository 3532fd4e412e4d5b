"""The concurrency limit: how many run, who waits and in which order, who is shed, and what is given back."""

import asyncio

import pytest

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import Overloaded, TryLater


class Work:
    """Work of several callers under one limit, each ended by hand."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        self.limit = limit
        self.running: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def run(self, name: str) -> None:
        self.ends[name] = asyncio.Event()
        async with self.limit:
            self.running.append(name)
            await self.ends[name].wait()
            self.running.remove(name)

    async def start(self, *names: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.run(name)) for name in names]
        await self.settle()
        return tasks

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)


async def test_so_many_run_and_the_others_follow_in_their_order() -> None:
    work = Work(ConcurrencyLimit(2, max_waiting=2))
    tasks = await work.start("a", "b", "c", "d")
    assert work.running == ["a", "b"]
    await work.end("b")
    assert work.running == ["a", "c"]
    for name in "acd":
        await work.end(name)
    await asyncio.gather(*tasks)
    assert work.limit.in_use == 0


async def test_a_caller_beyond_the_waiting_ones_is_shed_at_once_and_counted() -> None:
    work = Work(ConcurrencyLimit(1, max_waiting=1))
    tasks = await work.start("a", "b")
    assert work.limit.is_full
    with pytest.raises(Overloaded):
        await work.run("c")
    assert work.limit.shed_count == 1
    await work.end("a")
    await work.end("b")
    await asyncio.gather(*tasks)


async def test_the_owner_names_the_failure() -> None:
    limit = ConcurrencyLimit(0, build_failure=lambda: TryLater("too many calls"))
    with pytest.raises(TryLater, match="too many calls"):
        await limit.acquire()


async def test_a_waiting_caller_that_gives_up_frees_its_place_and_holds_nobody_up() -> None:
    work = Work(ConcurrencyLimit(1, max_waiting=2))
    tasks = await work.start("a", "b", "c")
    tasks[1].cancel()
    await work.settle()
    assert work.limit.in_use == 2
    await work.end("a")
    assert work.running == ["c"]
    await work.end("c")
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_caller_that_fails_gives_its_place_back() -> None:
    limit = ConcurrencyLimit(1)
    for _ in range(2):
        with pytest.raises(KeyError):
            async with limit:
                raise KeyError
    assert limit.in_use == 0 and limit.shed_count == 0
