"""From the first key to a paid bill and its receipt, by USSD, text and call, in Romanian, French and Arabic.

The keys are those of the tested conversations in `tests/dialogs`, so a menu that moves takes this test along.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.sandbox import preset_language
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

DIALOGS = Path(__file__).parents[1] / "dialogs"
CHANNELS = ("ussd", "sms", "voice")
OPERATORS = {
    "orange-ro": ("ro", "+40740000101", "am primit", "nimic de plat"),
    "orange-fr": ("fr", "+33600000101", "Reste 0,00", "rien à payer"),
    "tunisie-telecom": ("ar", "+21698000101", "وصل", "لا شيء"),
}
"""By operator: language, caller, a word of the receipt, and what the pay item says once nothing is due."""


def keys_to_the_link(operator: str, channel: str, language: str) -> list[str]:
    """Return the commands of the tested conversation from its last beginning to the link, that key included."""
    text = (DIALOGS / operator / channel / f"pay-{language}.dialog").read_text().partition("{link}")[0]
    found = [line for line in text.splitlines() if line.startswith(("dial ", "call ", "text ", "> "))]
    starts = [at for at, line in enumerate(found) if line.startswith(("dial ", "call ", "text "))]
    return found[starts[-2 if channel == "sms" else -1] :]


async def enter(line: DirectLine, caller: str, command: str) -> str:
    """Enter one command and return what the phone shows or says."""
    verb, _, rest = command.partition(" ")
    if verb == ">":
        return "\n".join((await line.press(rest)).lines)
    if verb == "text":
        number, _, words = rest.partition(" ")
        return "\n".join((await line.send_text(caller, number, words)).lines)
    start = line.dial if verb == "dial" else line.call
    return "\n".join((await start(caller, rest)).lines)


async def enter_all(line: DirectLine, caller: str, commands: Sequence[str]) -> str:
    """Enter commands and return the last answer, as the phone shows or says it."""
    return [await enter(line, caller, command) for command in commands][-1]


async def pay_by_link(world: PaymentWorld) -> None:
    """Open the link that has come, go to the provider and pay there."""
    body = next(each.body for each in await world.deliver() if "/pay#" in each.body)
    await world.payfake.press(await world.start(body.partition("/pay#")[2].split()[0]))
    await world.deliver()


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("operator", OPERATORS)
async def test_a_bill_is_paid_from_the_first_key_to_the_receipt(
    sandboxes: SandboxFactory, operator: str, channel: str
) -> None:
    language, caller, receipt, nothing_due = OPERATORS[operator]
    async with open_payment_world(sandboxes, operator, caller) as world:
        await preset_language(world.sandbox.container, operator, caller, language)
        line = world.sandbox.direct_line({"voice": "line"})
        await enter_all(line, caller, keys_to_the_link(operator, channel, language))
        await pay_by_link(world)
        assert await world.states() == ["booked"] and (await world.bill()).state == "paid"
        assert sum(receipt in each.body for each in world.received) == 1
        for other in CHANNELS:
            commands = keys_to_the_link(operator, other, language)[:-1]
            assert nothing_due in await enter_all(line, caller, commands), other


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("card", ["4111111111111111", "5500 0055 5555 5559"])
async def test_a_card_number_typed_on_the_pay_screen_is_dropped_and_nowhere_kept(
    sandboxes: SandboxFactory, channel: str, card: str, caplog: pytest.LogCaptureFixture
) -> None:
    language, caller, _, _ = OPERATORS["orange-ro"]
    async with open_payment_world(sandboxes, "orange-ro", caller) as world:
        line = world.sandbox.direct_line({"voice": "line"})
        await enter_all(line, caller, keys_to_the_link("orange-ro", channel, language)[:-1])
        digits = card.replace(" ", "") if channel == "voice" else card
        shown = await enter(line, caller, f"text 477 {digits}" if channel == "sms" else f"> {digits}")
        sent = await world.deliver()
        assert not await world.states() and not any("/pay#" in each.body for each in sent)
        told = "\n".join((shown, *(each.body for each in sent), caplog.text))
        assert digits not in told and digits.replace(" ", "") not in told
