"""Resumption: a dropped session is offered again, and nothing proven or confirmed carries over."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.dialogs.direct_line import DirectLine
from menus.model.facts import Text
from menus.model.session import Session
from menus.resumption import (
    can_continue,
    continue_earlier,
    hold_earlier,
    is_resumable,
    offer_held,
    offer_to_continue,
    without_turns,
)
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

ANA, BARBU = "+40740000101", "+40740000102"
OFFER = "Sesiunea s-a intrerupt."
CALL_OFFER = "Ultimul dumneavoastră apel s-a întrerupt."
CONFIRM = "Treceti la factura electronica?"


@pytest.fixture
def line(sandbox: GatewaySandbox) -> DirectLine:
    return sandbox.direct_line()


async def drop_at_confirmation(line: DirectLine) -> None:
    """Dial to the confirmation of the e-invoice; the network drops the session there."""
    await line.dial(ANA, "*100#")
    for key in ("1", "1", "3"):
        await line.press(key)
    await line.hang_up()


async def first_line(line: DirectLine, code: str = "*100#", caller: str = ANA) -> str:
    """Dial and return the screen's first line."""
    return (await line.dial(caller, code)).lines[0]


async def test_dialling_again_offers_to_continue(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    assert await first_line(line) == OFFER
    assert (await line.press("1")).lines[0].startswith(CONFIRM)


async def test_continuing_confirms_nothing(sandbox: GatewaySandbox, line: DirectLine) -> None:
    await drop_at_confirmation(line)
    before = await sandbox.count_effects()
    await line.dial(ANA, "*100#")
    await line.press("1")
    assert await sandbox.count_effects() == before
    assert not (await line.press("1")).lines[0].startswith(CONFIRM)
    assert await sandbox.count_effects() != before


async def test_keys_dialled_ahead_answer_no_offer(sandbox: GatewaySandbox, line: DirectLine) -> None:
    await drop_at_confirmation(line)
    before = await sandbox.count_effects()
    assert not (await first_line(line, "*100*1*1#")).startswith((OFFER, CONFIRM))
    assert await sandbox.count_effects() == before


async def test_an_offer_that_drops_is_made_again(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    await line.dial(ANA, "*100#")
    assert await first_line(line) == OFFER
    assert (await line.press("1")).lines[0].startswith(CONFIRM)


async def test_starting_again_gives_it_up(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    await line.dial(ANA, "*100#")
    home = (await line.press("2")).lines[0]
    assert await first_line(line) == home


async def test_a_repeated_offer_is_the_same(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    await line.dial(ANA, "*100#")
    await line.press("1")
    assert (await line.repeat_last()).lines[0].startswith(CONFIRM)


@pytest.mark.parametrize(("minutes", "offered"), [(9, True), (11, False)])
async def test_it_is_offered_for_ten_minutes(
    sandbox: GatewaySandbox, line: DirectLine, minutes: int, *, offered: bool
) -> None:
    await drop_at_confirmation(line)
    sandbox.clock.advance(timedelta(minutes=minutes))
    assert (await first_line(line) == OFFER) is offered


async def test_nobody_else_is_offered_it(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    assert await first_line(line, caller=BARBU) != OFFER


async def test_a_session_that_ended_is_not_offered(line: DirectLine) -> None:
    await drop_at_confirmation(line)
    await line.dial(ANA, "*100#")
    await line.press("1")
    assert (await line.press("1")).ends
    assert await first_line(line) != OFFER


async def test_back_from_the_continued_screen_leads_where_it_led(line: DirectLine) -> None:
    await line.dial(ANA, "*100#")
    await line.press("1")
    bill_menu = (await line.press("1")).lines
    await line.press("3")
    await line.dial(ANA, "*100#")
    await line.press("1")
    assert (await line.press("0")).lines == bill_menu


async def test_the_other_store_offers_it_when_the_first_is_gone(
    sandbox: GatewaySandbox, line: DirectLine
) -> None:
    sandbox.sessions.set_state("down")
    await drop_at_confirmation(line)
    assert await first_line(line) == OFFER


async def drop_call_at_confirmation(sandbox: GatewaySandbox, line: DirectLine) -> None:
    """Call to the confirmation of the e-invoice, proven by a code; the caller hangs up there."""
    await line.call(ANA, "411")
    await line.press("1")
    await line.press("2")
    assert (await line.press(await newest_code(sandbox))).lines[0].startswith("Doriți să treceți")
    await line.hang_up()
    sandbox.clock.advance(timedelta(seconds=31))


async def newest_code(sandbox: GatewaySandbox) -> str:
    (notice,) = (each for each in await sandbox.messages.collect_new() if each.kind == "code")
    return next(word for word in notice.body.replace(",", " ").split() if word.isdigit() and len(word) == 6)


async def test_a_call_asks_the_proof_again(sandbox: GatewaySandbox, line: DirectLine) -> None:
    await drop_call_at_confirmation(sandbox, line)
    await line.call(ANA, "411")
    for key in "11":
        asks_code = (await line.press(key)).lines[0]
    assert "cod" in asks_code
    assert (await line.press(await newest_code(sandbox))).lines[0] == CALL_OFFER
    assert (await line.press("1")).lines[0].startswith("Doriți să treceți")


async def test_a_call_that_proves_the_line_is_offered_it_at_once(
    sandbox: GatewaySandbox, line: DirectLine
) -> None:
    await drop_call_at_confirmation(sandbox, line)
    trusted = DirectLine(line.conversations, line.menu, {"voice": "line"}, "trusted")
    assert (await trusted.call(ANA, "411")).lines[0] == CALL_OFFER


async def test_what_nobody_proved_is_not_offered_to_the_line_itself(line: DirectLine) -> None:
    await line.call(ANA, "411")
    await line.press("1")
    trusted = DirectLine(line.conversations, line.menu, {"voice": "line"}, "trusted")
    assert (await trusted.call(ANA, "411")).lines[0] != CALL_OFFER


async def test_what_was_dropped_is_held_over_another_dropped_call(
    sandbox: GatewaySandbox, line: DirectLine
) -> None:
    await drop_call_at_confirmation(sandbox, line)
    for keys in ("1", "11"):
        await line.call(ANA, "411")
        for key in keys:
            await line.press(key)
    assert (await line.press(await newest_code(sandbox))).lines[0] == CALL_OFFER


async def test_a_stranger_with_the_number_hears_nothing_proven(
    sandbox: GatewaySandbox, line: DirectLine
) -> None:
    await drop_call_at_confirmation(sandbox, line)
    await line.call(ANA, "411")
    await line.press("1")
    await line.press("1")
    heard = " ".join((await line.press("123456")).lines)
    assert "Doriți" not in heard
    assert line.reply is not None
    assert line.reply.node.startswith("code.")


@pytest.mark.parametrize(
    ("change", "offered"),
    [
        ({}, True),
        ({"facts": {"number": Text("+40740000103")}}, True),
        ({"proofs": ()}, False),
        ({"proofs": ("pin",)}, False),
        ({"subject": BARBU}, False),
        ({"owner_hash": "another"}, False),
        ({"revision": "older"}, False),
    ],
)
def test_what_is_held_is_offered_after_the_proofs_it_had_to_the_same_line(
    sandbox: GatewaySandbox, change: dict[str, Any], *, offered: bool
) -> None:
    proven = Session("orange-ro", "voice", ANA, sandbox.menu.revision, "bill", "ro", proofs=("code",))
    earlier = Session("orange-ro", "voice", ANA, sandbox.menu.revision, "budget", "ro", proofs=("code",))
    hold_earlier(proven, replace(earlier, **change))
    offer_held(sandbox.menu, proven)
    assert (proven.state == "house.resume") is offered


async def test_a_withheld_number_is_offered_nothing(line: DirectLine) -> None:
    await line.call("", "411")
    await line.press("1")
    assert (await line.call("", "411")).lines[0] != CALL_OFFER


@pytest.fixture
async def without_resumption(sandboxes: SandboxFactory) -> AsyncIterator[GatewaySandbox]:
    """Provide a gateway whose pack turns resumption off."""
    async with sandboxes.open() as sandbox:
        menu = sandbox.menu
        rules = menu.config.rules.model_copy(update={"resume_minutes": 0})
        off = replace(menu, config=menu.config.model_copy(update={"rules": rules}), revision="off")
        sandbox.container.menu_versions.publish(off)
        yield sandbox


async def test_a_pack_may_turn_it_off(without_resumption: GatewaySandbox) -> None:
    line = without_resumption.direct_line()
    await drop_at_confirmation(line)
    assert await first_line(line) != OFFER


async def test_a_pack_changed_since_is_started_again(sandbox: GatewaySandbox, line: DirectLine) -> None:
    await drop_at_confirmation(line)
    sandbox.container.menu_versions.publish(replace(sandbox.menu, revision="newer"))
    assert await first_line(line) != OFFER


async def test_no_resume_point_counts_as_a_turn(sandbox: GatewaySandbox) -> None:

    session = Session("orange-ro", "ussd", ANA, sandbox.menu.revision, "einvoice.confirm", "ro", turn=4)
    assert is_resumable(sandbox.menu, session)
    assert without_turns(session).turn == 0


async def test_a_provider_that_uses_its_ids_again_offers_it_too(line: DirectLine) -> None:
    await line.dial(ANA, "*100#")
    for key in ("1", "1", "3"):
        await line.press(key)
    assert line.last_request is not None
    again = replace(line.last_request, accumulated=False, begins=True, text="*100#", request_id="new")
    assert (await line._send(again)).lines[0] == OFFER


def test_a_screen_that_needs_no_proof_itself_is_continued_only_with_the_proof_given_before(
    sandbox: GatewaySandbox,
) -> None:
    menu = sandbox.menu
    earlier = Session("orange-ro", "voice", ANA, menu.revision, "budget", "ro", "mobile", proofs=("code",))
    session = replace(earlier, state="home", proofs=())
    assert menu.nodes["budget"].needs == "none" and can_continue(menu, session, earlier)
    offer_to_continue(session, earlier)
    session.state = "house.continue"
    continue_earlier(menu, session)
    assert session.state == menu.config.gates["code"]
