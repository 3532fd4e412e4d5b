"""Single flight: one call for callers with the same question, whatever some of them do meanwhile."""

import asyncio

import pytest

from flows.domain.failures import Down
from flows.domain.single_flight import SingleFlight


class Backend:
    """Answers once it is open, with the question and the number of the call."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.calls: list[str] = []

    async def read(self, question: str) -> str:
        self.calls.append(question)
        number = len(self.calls)
        await self.is_open.wait()
        if question == "broken":
            raise Down
        return f"{question} {number}"


class Callers:
    """A single flight in front of the backend, and the callers that wait for it."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.flight: SingleFlight[str, str] = SingleFlight()

    async def ask(self, question: str) -> asyncio.Task[str]:
        task = asyncio.create_task(self.flight.join(question, lambda: self.backend.read(question)))
        for _ in range(3):
            await asyncio.sleep(0)
        return task


@pytest.fixture
def callers() -> Callers:
    return Callers()


async def test_callers_with_one_question_share_a_call_and_others_do_not(callers: Callers) -> None:
    tasks = [await callers.ask(question) for question in ("a", "a", "b")]
    callers.backend.is_open.set()
    assert await asyncio.gather(*tasks) == ["a 1", "a 1", "b 2"]


async def test_a_question_asked_after_the_answer_is_a_new_call(callers: Callers) -> None:
    callers.backend.is_open.set()
    assert [await (await callers.ask("a")) for _ in range(2)] == ["a 1", "a 2"]


async def test_an_error_reaches_every_caller_and_is_not_remembered(callers: Callers) -> None:
    tasks = [await callers.ask("broken") for _ in range(2)]
    callers.backend.is_open.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [Down, Down]
    with pytest.raises(Down):
        await (await callers.ask("broken"))
    assert len(callers.backend.calls) == 2


async def test_a_caller_that_gives_up_stops_neither_the_call_nor_the_others(callers: Callers) -> None:
    first, second = [await callers.ask("a") for _ in range(2)]
    first.cancel()
    callers.backend.is_open.set()
    assert await second == "a 1"


async def test_nobody_joins_a_detached_call_whose_callers_still_get_its_answer(callers: Callers) -> None:
    before = await callers.ask("a")
    callers.flight.detach(lambda question: question == "a")
    after = await callers.ask("a")
    callers.backend.is_open.set()
    assert [await before, await after] == ["a 1", "a 2"]


async def test_closing_cancels_joined_and_detached_calls(callers: Callers) -> None:
    tasks = [await callers.ask("a")]
    callers.flight.detach(lambda _: True)
    tasks.append(await callers.ask("a"))
    await callers.flight.close()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError, asyncio.CancelledError]
