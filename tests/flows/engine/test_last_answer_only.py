"""USSD providers that send the last answer only: numbered requests, and those told apart by alternation."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.engine.inbound import Inbound
from flows.engine.replay import new_answers
from menus.model.session import Session
from tests.flows.engine.test_replay import KEYS
from tests.support.gateway_sandbox import GatewaySandbox

CALLER = "+40740000101"


def request(text: str, number: str = "", begins: bool | None = None) -> Inbound:  # noqa: FBT001
    return Inbound(
        *("acme", "ussd", "orange-ro", "S1", CALLER, "*100#", text),
        request_id=number,
        begins=begins,
        trust="line",
    )


async def send(sandbox: GatewaySandbox, inbound: Inbound, *, is_sent: bool = True) -> str:
    """Take one turn; `is_sent` False breaks off before the reply has left."""
    async with await sandbox.container.conversations.run_turn(inbound) as turn:
        await turn.commit()
    if turn.acknowledgement is not None and is_sent:
        async with turn.acknowledgement:
            pass
    return turn.reply.text


@pytest.mark.parametrize("numbers", [("1", "2", "3"), ("", "", "")], ids=["numbered", "not numbered"])
async def test_the_same_key_twice_in_a_row_moves_twice(
    sandbox: GatewaySandbox, numbers: tuple[str, str, str]
) -> None:
    home = await send(sandbox, request("*100#", numbers[0], begins=True))
    first = await send(sandbox, request("1", numbers[1], begins=False))
    second = await send(sandbox, request("1", numbers[2], begins=False))
    assert len({home, first, second}) == 3


async def test_a_numbered_request_delivered_again_moves_once(
    sandbox: GatewaySandbox,
) -> None:
    await send(sandbox, request("*100#", "1", begins=True))
    first = await send(sandbox, request("1", "2"))
    assert await send(sandbox, request("1", "2")) == first


async def test_a_request_whose_reply_did_not_leave_is_a_repeat(
    sandbox: GatewaySandbox,
) -> None:
    await send(sandbox, request("*100#", begins=True))
    lost = await send(sandbox, request("1", begins=False), is_sent=False)
    assert await send(sandbox, request("1", begins=False)) == lost
    assert await send(sandbox, request("1", begins=False)) != lost


async def ask_code(sandbox: GatewaySandbox) -> None:
    """Walk to the screen that sends a code, and let the network end the session."""
    for text in ("*100#", "1", "1", "5"):
        await send(sandbox, request(text, begins=text == "*100#"))
    await sandbox.container.conversations.end_session(sandbox.container.conversations.session_key(request("")))


async def test_a_session_id_used_for_every_dial_repeats_effects_when_asked(sandbox: GatewaySandbox) -> None:
    for _ in range(2):
        await ask_code(sandbox)
        sandbox.clock.advance(timedelta(minutes=5))
    assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code", "code"]


async def test_a_session_id_used_again_begins_anew_with_an_offer_to_continue(sandbox: GatewaySandbox) -> None:
    home = await send(sandbox, request("*100#", begins=True))
    budget = await send(sandbox, request("1", begins=False))
    assert await send(sandbox, request("*100#", begins=True)) not in (home, budget)
    assert await send(sandbox, request("2", begins=False)) == home


@pytest.mark.parametrize(
    ("dialled", "answers"),
    [
        ("*100#", []),
        ("*100*1*2#", ["1", "2"]),
        ("100*1", ["1"]),  # without the marks around the code
        ("100", []),
        ("*1001*1#", []),  # another code
        ("1", []),  # an answer to a session that was lost
        ("", []),
    ],
)
def test_what_follows_the_code_is_dialled_ahead(dialled: str, answers: list[str]) -> None:
    fresh = Session("orange-ro", "ussd", CALLER, "r", "home", "ro")
    assert new_answers(KEYS, fresh, request(dialled)) == answers


def test_an_answer_is_taken_as_it_is_even_if_it_looks_like_the_code() -> None:
    under_way = replace(Session("orange-ro", "ussd", CALLER, "r", "home", "ro"), turn=2)
    assert new_answers(KEYS, under_way, request("*100*1#")) == ["*100*1#"]
