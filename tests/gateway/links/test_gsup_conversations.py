"""Conversations over GSUP with a real osmo-hlr: activations, repeats, unknown callers, a core that fails."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from flows.domain.failures import Overloaded
from flows.engine.conversation import TurnEngine
from gateway.providers._shared import running_turns
from gateway.server.health import Health
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gsup_phone import connect_gsup, display_text, held_link, wait_for_link
from tests.support.installed_programs import run_installed
from tests.support.osmo_hlr import ANA, NUMBERLESS_IMSI, STRANGER_IMSI, OsmoHlr
from tests.support.server_processes import poll_until
from tests.support.vlr_peer import connect_vlr

QUICK_GUARD = 4
SESSION_EXISTS = 0x60
"""Cause of a second beginning of a session (3GPP TS 24.008: invalid mandatory information)."""


@pytest.fixture(scope="module")
def hlr() -> Iterator[OsmoHlr]:
    with run_installed(OsmoHlr, str(QUICK_GUARD)) as server:
        yield server


async def test_e_invoicing_is_activated(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, sandbox):
        screens = [await phone.dial(ANA, "*100#")]
        screens += [await phone.press(key) for key in ("1", "1", "3", "1")]
        sent = await sandbox.messages.collect_new()
    assert screens[0].lines[0] == "Bine ati venit la Orange!"
    assert [screen.ends for screen in screens] == [False] * 4 + [True]
    assert screens[-1].lines[0].startswith("Gata! Factura electronica este activa pentru 07***101.")
    assert [notice.body.split(":")[0] for notice in sent] == ["Orange"]


async def test_what_is_dialled_behind_the_code_is_answered(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, _):
        screen = await phone.dial(ANA, "*100*1*1#")
        assert screen.lines[0] == "Factura" and screen.lines[-1].startswith("9 ")
        assert (await phone.press("1")).lines[0].startswith("Factura 0")


async def test_a_beginning_sent_twice_moves_nothing(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, _):
        await phone.dial(ANA, "*100#")
        assert phone.peer.last is not None
        phone.peer.send(phone.peer.last)
        assert (await phone.peer.read_screen()).cause == SESSION_EXISTS
        assert (await phone.press("1")).lines[0] == "Buget"


async def test_two_sessions_of_one_id_are_two_conversations(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, _):
        await phone.dial(ANA, "*100#")
        assert (await phone.press("0")).ends
        phone.peer.numbers = iter([int.from_bytes(phone.peer.session_id, "big")])
        assert (await phone.dial(ANA, "*100#")).lines[0] == "Bine ati venit la Orange!"


@pytest.mark.parametrize("imsi", [NUMBERLESS_IMSI, STRANGER_IMSI])
async def test_a_caller_without_a_number_hears_a_last_text(
    sandboxes: SandboxFactory, hlr: OsmoHlr, imsi: str
) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, _):
        phone.peer.imsi = imsi
        screen = await phone.peer.dial("*100#")
    assert screen.text and not screen.cause


async def fail_turn(*_: object) -> None:
    raise Overloaded


async def hang_turn(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.alone
@pytest.mark.parametrize("fault", [fail_turn, hang_turn])
async def test_a_failure_ends_with_a_text_before_the_guard_timer(
    sandboxes: SandboxFactory, hlr: OsmoHlr, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    async with connect_gsup(sandboxes, hlr, {"guard_seconds": QUICK_GUARD - 1}) as (phone, _):
        monkeypatch.setattr(TurnEngine, "run_turn", fault)
        screen = await phone.dial(ANA, "*100#")
    assert screen.ends and screen.lines[0]


async def test_a_caller_who_thinks_longer_than_the_guard_timer_may_dial_again(
    sandboxes: SandboxFactory, hlr: OsmoHlr
) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, _):
        await phone.dial(ANA, "*100#")

        async def has_forgotten() -> bool:
            return f"{phone.peer.session_id.hex()}: SS Session Timeout" in hlr.read_log()

        await poll_until(has_forgotten, 30)
        assert (await phone.peer.press("1")).cause
        assert (await phone.dial(ANA, "*100#")).lines


async def test_a_new_caller_for_whom_there_is_no_room_gets_an_apology(
    sandboxes: SandboxFactory, hlr: OsmoHlr, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, sandbox):
        monkeypatch.setattr(running_turns, "MAX_TURNS", 0)
        screen = await phone.dial(ANA, "*100#")
        link = held_link(sandbox)
    assert screen.ends and screen.lines[0]
    assert link is not None and link.report().turned_away == 1


async def test_a_restarted_hlr_is_served_again(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (phone, sandbox):
        await phone.dial(ANA, "*100#")
        hlr.kill()
        await wait_for_link(sandbox, "down")
        faults = await Health(sandbox.container, needs_links=True).find_faults()
        hlr.start()
        await wait_for_link(sandbox)
        async with connect_vlr(hlr.host) as phone.peer:
            assert (await phone.dial(ANA, "*100#")).lines
            assert (await phone.press("1")).lines[0] == "Buget"
    assert faults == ["link orange-ro/gsup/0: down"]


async def test_a_silent_hlr_is_noticed_and_served_when_it_is_back(
    sandboxes: SandboxFactory, hlr: OsmoHlr
) -> None:
    async with connect_gsup(sandboxes, hlr, {"ping_seconds": 1}) as (phone, sandbox):
        hlr.pause()
        try:
            await wait_for_link(sandbox, "down")
        finally:
            hlr.resume()
        await wait_for_link(sandbox)
        assert display_text(await phone.peer.dial("*100#")).lines[0] == "Bine ati venit la Orange!"


async def test_a_link_shows_in_the_metrics(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with connect_gsup(sandboxes, hlr) as (_, sandbox):
        exposition = sandbox.container.metrics_registry.render_exposition().decode()
    labels = '{operator="orange-ro",provider="gsup",slot="0"}'
    assert f"dialtree_link_up{labels} 1.0" in exposition
    assert f"dialtree_link_last_pdu_age_seconds{labels} " in exposition
