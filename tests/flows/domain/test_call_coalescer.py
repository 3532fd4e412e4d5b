"""The call coalescer: order, one answer for each caller, cancelled callers, limits, and its end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from flows.domain.call_coalescer import CallCoalescer
from flows.domain.failures import Down, NotFound, Overloaded


@dataclass
class Server:
    """Doubles numbers, batch by batch, once it is open; refuses a negative number alone."""

    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[int]] = field(default_factory=list)

    async def double(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        await self.is_open.wait()
        return [NotFound() if number < 0 else 2 * number for number in numbers]


@pytest.fixture
def server() -> Server:
    return Server()


async def let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_of_one_iteration_share_a_call_in_their_order(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    server.is_open.set()
    assert await asyncio.gather(*map(coalescer.submit, [3, 1, 2])) == [6, 2, 4]
    assert server.batches == [[3, 1, 2]]


async def test_items_submitted_during_a_call_share_the_next(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    first = coalescer.submit(1)
    await let_others_run()
    others = [coalescer.submit(number) for number in (2, 3)]
    server.is_open.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert server.batches == [[1], [2, 3]]


async def test_a_batch_and_the_batches_at_once_have_their_limits(server: Server) -> None:
    coalescer = CallCoalescer(server.double, max_batch=2, max_running=2)
    answers = [coalescer.submit(number) for number in range(5)]
    await let_others_run()
    assert server.batches == [[0, 1], [2, 3]]
    server.is_open.set()
    assert await asyncio.gather(*answers) == [0, 2, 4, 6, 8]
    assert server.batches[2:] == [[4]]


async def test_an_error_of_one_item_is_raised_by_its_caller_only(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    server.is_open.set()
    answers = await asyncio.gather(*map(coalescer.submit, [1, -1, 2]), return_exceptions=True)
    assert [answers[0], answers[2]] == [2, 4]
    assert isinstance(answers[1], NotFound)


async def test_an_error_of_the_call_is_raised_by_every_caller_and_the_next_call_works(server: Server) -> None:
    async def fail_on_one(numbers: Sequence[int]) -> list[int | Exception]:
        if 1 in numbers:
            raise Down
        return await server.double(numbers)

    coalescer = CallCoalescer(fail_on_one)
    server.is_open.set()
    ends = await asyncio.gather(*map(coalescer.submit, [1, 2]), return_exceptions=True)
    assert [type(end) for end in ends] == [Down, Down]
    assert await coalescer.submit(3) == 6


async def test_a_caller_that_gives_up_before_its_batch_takes_its_item_back(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    answers = [coalescer.submit(number) for number in (1, 2, 3)]
    answers[1].cancel()
    server.is_open.set()
    assert [await answers[0], await answers[2]] == [2, 6]
    assert server.batches == [[1, 3]]


async def test_a_caller_that_gives_up_during_its_batch_hurts_nobody(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    answers = [coalescer.submit(number) for number in (1, 2)]
    await let_others_run()
    answers[0].cancel()
    server.is_open.set()
    assert await answers[1] == 4
    assert await coalescer.submit(5) == 10


async def test_a_batch_whose_callers_all_gave_up_is_not_run(server: Server) -> None:
    coalescer = CallCoalescer(server.double)
    coalescer.submit(1).cancel()
    await let_others_run()
    server.is_open.set()
    assert await coalescer.submit(2) == 4
    assert server.batches == [[2]]


async def test_items_beyond_the_limit_of_waiting_ones_are_shed(server: Server) -> None:
    coalescer = CallCoalescer(server.double, max_waiting=2)
    answers = [coalescer.submit(number) for number in (1, 2)]
    with pytest.raises(Overloaded):
        coalescer.submit(3)
    server.is_open.set()
    assert await asyncio.gather(*answers) == [2, 4]


async def test_closing_runs_what_waits_and_refuses_what_comes_later(server: Server) -> None:
    coalescer = CallCoalescer(server.double, max_batch=1)
    answers = [coalescer.submit(number) for number in (1, 2, 3)]
    server.is_open.set()
    await coalescer.close()
    assert [answer.result() for answer in answers] == [2, 4, 6]
    with pytest.raises(Down):
        coalescer.submit(4)


async def test_aborting_fails_the_callers_of_running_and_of_waiting_batches(server: Server) -> None:
    coalescer = CallCoalescer(server.double, max_batch=1)
    answers = [coalescer.submit(number) for number in (1, 2)]
    await let_others_run()
    await coalescer.abort()
    assert [type(answer.exception()) for answer in answers] == [Down, Down]
    assert server.batches == [[1]]


async def test_an_item_whose_caller_gave_up_in_time_goes_on_where_such_are_kept(server: Server) -> None:
    coalescer = CallCoalescer(server.double, keeps_abandoned=True)
    first = coalescer.submit(1)
    await let_others_run()
    coalescer.submit(2).cancel()
    server.is_open.set()
    assert await first == 2
    await coalescer.close()
    assert server.batches == [[1], [2]]
