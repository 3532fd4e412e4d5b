"""A BSS that takes connections and answers nothing for five seconds: an end within three, one text after."""

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
from tests.world import worlds as worlds

BACKENDS = ("tmf678-v4", "killbill")
EARNEST, QUICK = Patience(), Patience(name=0.2, action=0.6, promise=0.5)
"""How long a turn waits: one case as it is, the others a quarter of it, for what they show is the same."""
CALLS = {"ussd": ("*100#", "1", "1", "1"), "voice": ("411", "1", "1"), "sms": ("477",)}
"""What is dialled, and what is pressed until the newest bill is asked for."""
SCENE = Dialog("frozen", (), ())
LATER = timedelta(minutes=1)
"""When an errand that did not get its answer is tried again."""


async def asked(line: Direct, channel: str) -> tuple[Shown, float]:
    """The last answer to a call for the newest bill, and how long the slowest took (s)."""
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
    name: str, channel: str, met: str, worlds: Worlds, tmp_path: Path
) -> None:
    patience = EARNEST if (name, channel) == ("tmf678-v4", "ussd") else QUICK
    async with world_behind(name, worlds, SCENE, tmp_path, patience) as (world, bss):
        line = world.direct({"voice": "line"})
        if met == "before":
            await line.text(ANA, "477", "AJUTOR")
            await world.weather.subscriber(ANA)
        await world.post.collect()
        bss.freeze()
        said, took = await asked(line, channel)
        while_frozen = await world.post.collect()
        bss.thaw()
        world.clock.wait(LATER)
        told = [*await world.post.collect(), *await world.post.collect()]
    assert took < 3 and "SMS" in said.lines[0] and said.ends is (channel != "sms")
    assert while_frozen == [] and len(told) == 1
    assert told[0].to == ANA and "79,90" in told[0].body


async def test_a_step_waits_for_whom_the_first_screen_did_not(worlds: Worlds, tmp_path: Path) -> None:
    """Who it is comes later than a greeting may wait, yet within the turn: the answer is the bill itself."""
    async with world_behind("tmf678-v4", worlds, SCENE, tmp_path, EARNEST) as (world, bss):
        bss.freeze()
        asyncio.get_running_loop().call_later(EARNEST.name * 1.5, bss.thaw)
        said = await world.direct().text(ANA, "477", "FACTURA")
        assert await world.post.collect() == []
    assert "79,90" in said.lines[0]
