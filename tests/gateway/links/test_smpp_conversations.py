"""Conversations over SMPP: an activation, a password for a code, repeats, hang-ups, in several dialects."""

import pytest

from gateway.providers._smpp.dialect import load_dialects
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.smpp_phone import connect_smpp

ANA = "+40740000101"
DIALECTS = [name for name, each in load_dialects().items() if not each.unusable]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_e_invoicing_is_activated(dialect: str, sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, dialect) as (phone, sandbox):
        screens = [await phone.dial(ANA, "*100#")]
        screens += [await phone.press(key) for key in ("1", "1", "3", "1")]
        sent = await sandbox.messages.collect_new()
    assert screens[0].lines[0] == "Bine ati venit la Orange!"
    assert [screen.ends for screen in screens] == [False] * 4 + [True]
    assert screens[-1].lines[0].startswith("Gata! Factura electronica este activa pentru 07***101.")
    assert [notice.body.split(":")[0] for notice in sent] == ["Orange"]
