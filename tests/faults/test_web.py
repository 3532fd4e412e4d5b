"""Web processes killed, raced and restarted in the middle of sessions: one effect, one answer."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tests.support.databases import count_rows
from tests.support.faults.aggregator_phone import (
    CONNECTION_ERRORS,
    MENU_STEPS,
    YES_STEP,
    AggregatorPhone,
    open_http_session,
    wait_until_listening,
)
from tests.support.faults.harness import FaultHarness
from tests.support.server_processes import poll_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]


@pytest.fixture
async def phone() -> AsyncIterator[AggregatorPhone]:
    async with open_http_session() as session:
        yield AggregatorPhone(session, session_id=f"ATUid_{random.randrange(1 << 40)}")


@pytest.fixture
async def seeded_harness(harness: FaultHarness) -> FaultHarness:
    await harness.seed_demo_data()
    return harness


async def count_effects(harness: FaultHarness) -> tuple[int, int]:
    """Return the number of consents and of outbox messages: one each for one activation."""
    return await count_rows(harness.database, "consents"), await count_rows(harness.database, "outbox")


async def test_F1_after_a_web_process_is_killed_in_a_step_a_redial_loses_nothing(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    doomed, other = (seeded_harness.start_process(role="web", redis_url=redis_url) for _ in range(2))
    await wait_until_listening(doomed, other)
    await phone.post_steps(doomed)
    pressing = asyncio.create_task(phone.post_step(doomed, YES_STEP))
    await asyncio.sleep(0)
    doomed.kill()
    await asyncio.wait({pressing})
    answered = pressing.exception() is None
    assert answered or isinstance(pressing.exception(), CONNECTION_ERRORS)
    again = await phone.post_step(other, YES_STEP)
    assert again.startswith("END Gata!") and await count_effects(seeded_harness) == (1, 1)


async def test_F2_killed_between_commit_and_answer_the_repeat_gets_the_answer_and_one_effect(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    doomed = seeded_harness.start_process("kill@committed", role="web", redis_url=redis_url)
    other = seeded_harness.start_process(role="web", redis_url=redis_url)
    await wait_until_listening(doomed, other)
    await phone.post_steps(doomed)
    with pytest.raises(CONNECTION_ERRORS):
        await phone.post_step(doomed, YES_STEP)
    assert await seeded_harness.wait_for_exit(doomed) == -signal.SIGKILL
    assert await count_effects(seeded_harness) == (1, 1)
    told = [await phone.post_step(other, YES_STEP) for _ in range(2)]
    assert told[0].startswith("END Gata!") and told[0] == told[1]
    assert await count_effects(seeded_harness) == (1, 1)


async def test_a_session_alternates_between_two_processes(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    webs = [seeded_harness.start_process(role="web", redis_url=redis_url) for _ in range(2)]
    await wait_until_listening(*webs)
    assert (await phone.post_steps(*webs, texts=(*MENU_STEPS, YES_STEP))).startswith("END Gata!")
    assert len(set(phone.screens)) == 5


async def test_F27_a_message_delivered_a_hundred_times_has_one_effect(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    webs = [seeded_harness.start_process(role="web", redis_url=redis_url) for _ in range(2)]
    await wait_until_listening(*webs)
    told = await phone.post_text(webs[0], "m1", "FACTURA")
    many = await asyncio.gather(*(phone.post_text(webs[number % 2], "m1", "FACTURA") for number in range(99)))
    assert told is not None and {*many} == {told}
    assert await count_rows(seeded_harness.database, "outbox") == 1


async def test_F28_an_old_step_gets_a_screen_and_changes_nothing(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    web = seeded_harness.start_process(role="web", redis_url=redis_url)
    await wait_until_listening(web)
    question = await phone.post_steps(web)
    assert await phone.post_step(web, MENU_STEPS[1]) == question
    assert await count_effects(seeded_harness) == (0, 0)
    assert (await phone.post_step(web, YES_STEP)).startswith("END Gata!")
    assert await count_effects(seeded_harness) == (1, 1)


async def test_F29_of_two_steps_at_once_one_wins_and_both_are_answered_alike(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    webs = [seeded_harness.start_process(role="web", redis_url=redis_url) for _ in range(2)]
    await wait_until_listening(*webs)
    await phone.post_steps(*webs)
    both = await asyncio.gather(*(phone.post_step(web, YES_STEP) for web in webs))
    assert both[0] == both[1] and both[0].startswith("END Gata!")
    assert await count_effects(seeded_harness) == (1, 1)


async def test_F37_a_spike_refuses_new_sessions_and_no_live_one(
    seeded_harness: FaultHarness, phone: AggregatorPhone, redis_url: str
) -> None:
    web = seeded_harness.start_process(role="web", redis_url=redis_url, turns_at_once=20)
    await wait_until_listening(web)
    begun, spike = new_callers(phone, "begun", 15), new_callers(phone, "spike", 400)
    await asyncio.gather(*(caller.post_steps(web, texts=MENU_STEPS[:2]) for caller in begun))
    storm = asyncio.gather(*(caller.post_step(web, "") for caller in spike))
    await asyncio.gather(*(caller.post_steps(web, texts=MENU_STEPS[2:]) for caller in begun))
    said = {screen[:3] for screen in await storm}
    assert {screen[:11] for caller in begun for screen in caller.screens[-1:]} == {"CON Treceti"}
    assert said == {"CON", "END"}
    assert (await phone.post_steps(web)).startswith("CON Treceti") and web.exit_status is None


def new_callers(phone: AggregatorPhone, name: str, many: int) -> list[AggregatorPhone]:
    """Return the given number of unknown callers, each with a session of its own."""
    named = f"{name}-{phone.session_id}"
    return [
        AggregatorPhone(phone.session, f"+407400{number:05}", f"{named}-{number}") for number in range(many)
    ]


async def test_readyz_is_503_while_the_database_fails(
    seeded_harness: FaultHarness, phone: AggregatorPhone
) -> None:
    url = await seeded_harness.start_with_readyz(phone.session)
    async with phone.session.get(url) as answer:
        assert answer.status == 200
    await seeded_harness.database.write(
        lambda connection: connection.execute(text("ALTER TABLE outbox RENAME TO gone"))
    )

    async def red() -> bool:
        async with phone.session.get(url) as answer:
            return answer.status == 503

    await poll_until(red)
