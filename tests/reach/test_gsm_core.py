"""A virtual phone dials `*100#` in a real GSM core: osmo-stp, osmo-msc, osmo-hlr, and our entity behind it."""

from collections.abc import Iterator
from typing import cast

import pytest

from gateway.providers import gsup
from tests.reach.asterisk_process import reach_folder
from tests.reach.gsm_core import ROUTER_HOST, ROUTER_PORT, run_core
from tests.reach.gsm_phone import switch_on
from tests.support.dialog_runs import load_dialog
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gsup_phone import GsupPhone, connect_gsup
from tests.support.installed_programs import run_installed
from tests.support.osmo_hlr import ANA_IMSI, OsmoHlr
from tests.support.vlr_peer import VlrPeer
from tests.system.test_every_way import DIALOG, play_directly, start_time


@pytest.fixture(scope="module")
def hlr() -> Iterator[OsmoHlr]:
    with run_installed(OsmoHlr) as server, run_core(reach_folder() / "root", server.host):
        yield server


async def test_a_phone_sees_the_dialog_of_every_way(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    direct = await play_directly(sandboxes, gsup.PAGE_SIZE)
    async with (
        connect_gsup(sandboxes, hlr, at=start_time()) as (_, sandbox),
        switch_on(ANA_IMSI, ROUTER_HOST, ROUTER_PORT) as phone,
    ):
        line = GsupPhone(cast(VlrPeer, phone))  # it dials and presses alike, through an MSC
        transcript = await sandbox.dialog_player(line).play(load_dialog(DIALOG))
        assert (transcript, await sandbox.count_effects()) == (direct.transcript, direct.effects)


async def test_keys_dialled_ahead_come_to_their_screen(sandboxes: SandboxFactory, hlr: OsmoHlr) -> None:
    async with (
        connect_gsup(sandboxes, hlr),
        switch_on(ANA_IMSI, ROUTER_HOST, ROUTER_PORT) as phone,
    ):
        assert (await phone.dial("*100*1#")).text.startswith("Buget")
