"""Message doubts: a repeat has the id of the first delivery, the same words again have their own."""

from itertools import count

import pytest

from gateway.dialogs.player import ManualClock
from storage.links.message_doubts import DOUBT, SqlMessageDoubts
from storage.links.sent_ids import find_sent_id
from storage.sql.engine import Database
from tests.support.databases import NOW
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def doubts(database: Database, clock: ManualClock) -> SqlMessageDoubts:
    numbers = count(1)
    return SqlMessageDoubts(database, clock, lambda: f"d{next(numbers)}")


async def identify(
    doubts: SqlMessageDoubts, text: str, era: str = "a", operator: str = "orange-ro", *, may_repeat: bool = True
) -> str:
    return await doubts.identify_message(operator, "smpp", text, era, may_repeat=may_repeat)


async def test_an_equal_message_of_another_connection_may_be_a_repeat(doubts: SqlMessageDoubts) -> None:
    assert [await identify(doubts, "fact", era) for era in ("a", "b")] == ["d1", "d1"]
    assert await identify(doubts, "other", "b") == "d3"
    assert await identify(doubts, "fact", "b", "bouygues") == "d4"


async def test_the_same_words_again_are_another_message(doubts: SqlMessageDoubts) -> None:
    texted = [await identify(doubts, "fact", era, may_repeat=False) for era in ("a", "b")]
    assert texted == ["d1", "d2"]
    assert await identify(doubts, "fact", "c") == "d2"


async def test_one_unbroken_connection_delivers_nothing_twice(doubts: SqlMessageDoubts) -> None:
    assert [await identify(doubts, "fact") for _ in range(2)] == ["d1", "d2"]


async def test_doubt_ends_after_a_while(doubts: SqlMessageDoubts, clock: ManualClock) -> None:
    await identify(doubts, "fact")
    clock.advance(DOUBT)
    assert await identify(doubts, "fact", "b") == "d2"


async def test_an_id_nothing_was_sent_under_is_not_found(database: Database) -> None:
    assert await find_sent_id(database, "smpp", ["orange-ro/1a", "orange-ro/26"]) is None
