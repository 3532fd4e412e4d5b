"""A BSS that accepts connections and answers nothing for 5 s: END within 3 s, one SMS afterwards."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from flows.engine.deadlines import Patience
from gateway.dialogs.direct_line import Direct
from gateway.dialogs.format import Dialog
from gateway.dialogs.player import Shown
from tests.test_billing_dialogs import world_behind
from tests.test_billing_faults import ANA
from tests.world import Worlds
from tests.world import sandboxes as sandboxes

BACKENDS = ("tmf678-v4", "killbill")
EARNEST, QUICK = Patience(), Patience(name=0.2, action=0.6, promise=0.5)
"""Time budgets of a turn: one case with the real ones, the others with a quarter of them."""
CALLS = {"ussd": ("*100#", "1", "1", "1"), "voice": ("411", "1", "1"), "sms": ("477",)}
"""By channel: what is dialled, then pressed, until the newest bill is requested."""
SCENE = Dialog("frozen", (), ())
LATER = timedelta(minutes=1)
"""When a deferred step that got no answer is retried."""


async def asked(line: Direct, channel: str) -> tuple[Shown, float]:
    """Request the newest bill; return the last answer and the slowest turn in seconds."""
    address, *keys = CALLS[channel]
    begin = {"ussd": line.dial, "voice": line.call}
    first = line.text(ANA, address, "FACTURA") if channel == "sms" else begin[channel](ANA, address)
    said, slowest = await timed(first)
    for key in keys:
        said, took = await timed(line.press(key))
        slowest = max(slowest, took)
    return said, slowest


async def timed(answer: Awaitable[Shown]) -> tuple[Shown, float]:
    began = time.monotonic()
    return await answer, time.monotonic() - began


@pytest.mark.parametrize("met", ["before", "never"])
@pytest.mark.parametrize("channel", CALLS)
@pytest.mark.parametrize("name", BACKENDS)
async def test_F30_F32_frozen_for_five_seconds_is_an_end_within_three_and_one_text(
    name: str, channel: str, met: str, sandboxes: Worlds, tmp_path: Path
) -> None:
    patience = EARNEST if (name, channel) == ("tmf678-v4", "ussd") else QUICK
    async with world_behind(name, sandboxes, SCENE, tmp_path, patience) as (sandbox, bss):
        line = sandbox.direct({"voice": "line"})
        if met == "before":
            await line.text(ANA, "477", "AJUTOR")
            await sandbox.weather.subscriber(ANA)
        await sandbox.post.collect()
        bss.freeze()
        said, took = await asked(line, channel)
        while_frozen = await sandbox.post.collect()
        bss.thaw()
        sandbox.clock.wait(LATER)
        told = [*await sandbox.post.collect(), *await sandbox.post.collect()]
    assert took < 3 and "SMS" in said.lines[0] and said.ends is (channel != "sms")
    assert while_frozen == [] and len(told) == 1
    assert told[0].to == ANA and "79,90" in told[0].body


async def test_a_step_waits_for_a_lookup_the_first_screen_did_not(sandboxes: Worlds, tmp_path: Path) -> None:
    """The lookup takes longer than the greeting waits but less than the turn: the answer is the bill itself."""
    async with world_behind("tmf678-v4", sandboxes, SCENE, tmp_path, EARNEST) as (sandbox, bss):
        bss.freeze()
        asyncio.get_running_loop().call_later(EARNEST.name * 1.5, bss.thaw)
        said = await sandbox.direct().text(ANA, "477", "FACTURA")
        assert await sandbox.post.collect() == []
    assert "79,90" in said.lines[0]
