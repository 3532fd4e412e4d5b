"""Session ids that come again, and sessions that were lost: nothing old is shown, no effect is repeated."""

from dataclasses import replace
from datetime import timedelta

from gateway.dialogs.direct_line import DirectLine
from tests.support.gateway_sandbox import GatewaySandbox

ANA = "+40740000101"


async def send_ussd(line: DirectLine, text: str) -> tuple[str, ...]:
    """Send the same session id with this accumulated text."""
    assert line.last_request is not None
    return (await line._send(replace(line.last_request, text=text))).lines


async def test_an_id_that_comes_again_after_an_end_begins_at_home(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    home = (await line.dial(ANA, "*100#")).lines
    assert (await line.press("0")).ends
    assert await send_ussd(line, "") == home
    assert await send_ussd(line, "1") != home


async def test_an_id_that_comes_again_in_mid_session_begins_at_home(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    home = (await line.dial(ANA, "*100#")).lines
    budget = (await line.press("1")).lines
    await line.press("1")
    assert await send_ussd(line, "") == home
    assert await send_ussd(line, "1") == budget


async def test_a_first_request_delivered_twice_is_no_new_dial(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    home = (await line.dial(ANA, "*100#")).lines
    assert await send_ussd(line, "") == home
    await line.press("1")
    repeated = (await line.repeat_last()).lines
    assert repeated != home


async def ask_code(line: DirectLine) -> None:
    """Walk to the screen that sends a code, one key at a time."""
    for text in ("1", "1*1", "1*1*5"):
        await send_ussd(line, text)


async def test_a_new_dial_with_an_old_id_has_effects_of_its_own(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    await line.dial(ANA, "*100#")
    await ask_code(line)
    sandbox.clock.advance(timedelta(minutes=5))
    await send_ussd(line, "")
    await ask_code(line)
    assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code", "code"]


async def test_a_lost_session_repeats_no_effect(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    await line.dial(ANA, "*100*1*1*5#")
    sandbox.clock.advance(timedelta(minutes=1))
    await line.hang_up()
    await line.press("0")
    assert [notice.kind for notice in await sandbox.messages.collect_new()].count("code") == 1


async def test_what_is_dialled_ahead_last_has_its_effect(sandbox: GatewaySandbox) -> None:
    await sandbox.direct_line().dial(ANA, "*100*1*1*5#")
    assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code"]


def test_session_keys_are_bound_to_the_caller(sandbox: GatewaySandbox) -> None:
    engine, numbers = sandbox.container.conversations, ("+40740000101", "+40740000102")
    mine, theirs = (
        engine.conversation_key("orange-ro", "africastalking", "ussd", "s", number) for number in numbers
    )
    assert mine.session_hash != theirs.session_hash and mine.subscriber_hash != theirs.subscriber_hash
