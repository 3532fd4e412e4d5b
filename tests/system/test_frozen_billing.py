"""A BSS that accepts connections and answers nothing for 5 s: END within 3 s, one SMS afterwards."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from flows.engine.deadlines import TimeBudgets
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.format import Dialog
from gateway.dialogs.player import PhoneDisplay
from tests.storage.billing.test_failures import ANA
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.system.test_dialogs_by_backend import open_with_backend

BACKENDS = ("tmf678-v4", "killbill")
REAL_TIME_BUDGETS, SHORT_TIME_BUDGETS = (
    TimeBudgets(),
    TimeBudgets(lookup_seconds=0.2, action_seconds=0.6, deferral_seconds=0.5),
)
"""Time budgets of a turn: one case with the real ones, the others with a quarter of them."""
CALLS_BY_CHANNEL = {"ussd": ("*100#", "1", "1", "1"), "voice": ("411", "1", "1"), "sms": ("477",)}
"""By channel: what is dialled, then pressed, until the newest bill is requested."""
SMS_BY_CHANNEL = {"ussd": "SMS", "voice": "S M S", "sms": "SMS"}
"""By channel: what the answer calls the text message that brings the rest."""
EMPTY_DIALOG = Dialog("frozen", (), ())
AFTER_A_MINUTE = timedelta(minutes=1)
"""When a deferred step that got no answer is retried."""


async def ask_newest_bill(line: DirectLine, channel: str) -> tuple[PhoneDisplay, float]:
    """Request the newest bill; return the last answer and the slowest turn in seconds."""
    address, *keys = CALLS_BY_CHANNEL[channel]
    begin = {"ussd": line.dial, "voice": line.call}
    first = line.send_text(ANA, address, "FACTURA") if channel == "sms" else begin[channel](ANA, address)
    said, slowest = await time_answer(first)
    for key in keys:
        said, took = await time_answer(line.press(key))
        slowest = max(slowest, took)
    return said, slowest


async def time_answer(answer: Awaitable[PhoneDisplay]) -> tuple[PhoneDisplay, float]:
    began = time.monotonic()
    return await answer, time.monotonic() - began


@pytest.mark.parametrize("met", ["before", "never"])
@pytest.mark.parametrize("channel", CALLS_BY_CHANNEL)
@pytest.mark.parametrize("name", BACKENDS)
async def test_F30_F32_frozen_for_five_seconds_is_an_end_within_three_and_one_text(
    name: str, channel: str, met: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    patience = REAL_TIME_BUDGETS if (name, channel) == ("tmf678-v4", "ussd") else SHORT_TIME_BUDGETS
    async with open_with_backend(name, sandboxes, EMPTY_DIALOG, tmp_path, patience) as (sandbox, bss):
        line = sandbox.direct_line({"voice": "line"})
        if met == "before":
            await line.send_text(ANA, "477", "AJUTOR")
            await sandbox.faulty_billing.get_subscriber(ANA)
        await sandbox.messages.collect_new()
        bss.freeze()
        said, took = await ask_newest_bill(line, channel)
        while_frozen = await sandbox.messages.collect_new()
        bss.thaw()
        sandbox.clock.advance(AFTER_A_MINUTE)
        told = [*await sandbox.messages.collect_new(), *await sandbox.messages.collect_new()]
    assert took < 3 and SMS_BY_CHANNEL[channel] in said.lines[0] and said.ends is (channel != "sms")
    assert while_frozen == [] and len(told) == 1
    assert told[0].to == ANA and "79,90" in told[0].body


async def test_a_step_waits_for_a_lookup_the_first_screen_did_not(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    """The lookup takes longer than the greeting waits but less than the turn: the answer is the bill itself."""
    async with open_with_backend("tmf678-v4", sandboxes, EMPTY_DIALOG, tmp_path, REAL_TIME_BUDGETS) as (
        sandbox,
        bss,
    ):
        bss.freeze()
        asyncio.get_running_loop().call_later(REAL_TIME_BUDGETS.lookup_seconds * 1.5, bss.thaw)
        said = await sandbox.direct_line().send_text(ANA, "477", "FACTURA")
        assert await sandbox.messages.collect_new() == []
    assert "79,90" in said.lines[0]
