"""Web processes killed, raced and restarted in the middle of sessions: one effect, one answer."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tests.faults.phone import GONE, MENU, YES, Phone, line, serves
from tests.faults.stage import Stage
from tests.services import eventually
from tests.sql import rows_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with line() as session:
        yield Phone(session, session_id=f"ATUid_{random.randrange(1 << 40)}")


@pytest.fixture
async def seeded_harness(harness: Stage) -> Stage:
    await harness.seed()
    return harness


async def effects(harness: Stage) -> tuple[int, int]:
    """Return the number of consents and of outbox messages: one each for one activation."""
    return await rows_in(harness.database, "consents"), await rows_in(harness.database, "outbox")


async def test_F1_after_a_web_process_is_killed_in_a_step_a_redial_loses_nothing(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    doomed, other = (seeded_harness.worker(role="web", redis_url=redis_url) for _ in range(2))
    await serves(doomed, other)
    await phone.walk(doomed)
    pressing = asyncio.create_task(phone.step(doomed, YES))
    await asyncio.sleep(0)
    doomed.kill()
    await asyncio.wait({pressing})
    answered = pressing.exception() is None
    assert answered or isinstance(pressing.exception(), GONE)
    again = await phone.step(other, YES)
    assert again.startswith("END Gata!") and await effects(seeded_harness) == (1, 1)


async def test_F2_killed_between_commit_and_answer_the_repeat_gets_the_answer_and_one_effect(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    doomed = seeded_harness.worker("kill@committed", role="web", redis_url=redis_url)
    other = seeded_harness.worker(role="web", redis_url=redis_url)
    await serves(doomed, other)
    await phone.walk(doomed)
    with pytest.raises(GONE):
        await phone.step(doomed, YES)
    assert await seeded_harness.ended(doomed) == -signal.SIGKILL
    assert await effects(seeded_harness) == (1, 1)
    told = [await phone.step(other, YES) for _ in range(2)]
    assert told[0].startswith("END Gata!") and told[0] == told[1]
    assert await effects(seeded_harness) == (1, 1)


async def test_a_session_alternates_between_two_processes(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    webs = [seeded_harness.worker(role="web", redis_url=redis_url) for _ in range(2)]
    await serves(*webs)
    assert (await phone.walk(*webs, texts=(*MENU, YES))).startswith("END Gata!")
    assert len(set(phone.seen)) == 5


async def test_F27_a_message_delivered_a_hundred_times_has_one_effect(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    webs = [seeded_harness.worker(role="web", redis_url=redis_url) for _ in range(2)]
    await serves(*webs)
    told = await phone.text(webs[0], "m1", "FACTURA")
    many = await asyncio.gather(*(phone.text(webs[number % 2], "m1", "FACTURA") for number in range(99)))
    assert told is not None and {*many} == {told}
    assert await rows_in(seeded_harness.database, "outbox") == 1


async def test_F28_an_old_step_gets_a_screen_and_changes_nothing(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    web = seeded_harness.worker(role="web", redis_url=redis_url)
    await serves(web)
    question = await phone.walk(web)
    assert await phone.step(web, MENU[1]) == question
    assert await effects(seeded_harness) == (0, 0)
    assert (await phone.step(web, YES)).startswith("END Gata!")
    assert await effects(seeded_harness) == (1, 1)


async def test_F29_of_two_steps_at_once_one_wins_and_both_are_answered_alike(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    webs = [seeded_harness.worker(role="web", redis_url=redis_url) for _ in range(2)]
    await serves(*webs)
    await phone.walk(*webs)
    both = await asyncio.gather(*(phone.step(web, YES) for web in webs))
    assert both[0] == both[1] and both[0].startswith("END Gata!")
    assert await effects(seeded_harness) == (1, 1)


async def test_F37_a_spike_refuses_new_sessions_and_no_live_one(
    seeded_harness: Stage, phone: Phone, redis_url: str
) -> None:
    web = seeded_harness.worker(role="web", redis_url=redis_url, turns_at_once=20)
    await serves(web)
    begun, spike = crowd(phone, "begun", 15), crowd(phone, "spike", 400)
    await asyncio.gather(*(caller.walk(web, texts=MENU[:2]) for caller in begun))
    storm = asyncio.gather(*(caller.step(web, "") for caller in spike))
    await asyncio.gather(*(caller.walk(web, texts=MENU[2:]) for caller in begun))
    said = {screen[:3] for screen in await storm}
    assert {screen[:11] for caller in begun for screen in caller.seen[-1:]} == {"CON Treceti"}
    assert said == {"CON", "END"}
    assert (await phone.walk(web)).startswith("CON Treceti") and web.status is None


def crowd(phone: Phone, name: str, many: int) -> list[Phone]:
    """Return the given number of unknown callers, each with a session of its own."""
    named = f"{name}-{phone.session_id}"
    return [Phone(phone.session, f"+407400{number:05}", f"{named}-{number}") for number in range(many)]


async def test_readyz_is_503_while_the_database_fails(seeded_harness: Stage, phone: Phone) -> None:
    url = await seeded_harness.readyz(phone.session)
    async with phone.session.get(url) as answer:
        assert answer.status == 200
    await seeded_harness.database.write(
        lambda connection: connection.execute(text("ALTER TABLE outbox RENAME TO gone"))
    )

    async def red() -> bool:
        async with phone.session.get(url) as answer:
            return answer.status == 503

    await eventually(red)
