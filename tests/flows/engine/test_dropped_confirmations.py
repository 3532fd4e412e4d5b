"""Dropped at a confirmation and dialled again: offered to continue, on USSD and on a call, in four languages.

The Arabic packs have no switch to e-invoicing; there the request to be called back is confirmed.
"""

from dataclasses import dataclass

import pytest

from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.sandbox import preset_language
from menus.machine.screen import RESUME_OFFER
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

ANA, JEANNE, AMINE = "+40740000101", "+33600000102", "+21698000101"


@dataclass(frozen=True)
class Confirmation:
    """A way to a confirmation, in one language and on one channel."""

    operator: str
    language: str
    caller: str
    number: str
    keys: str
    screen: str = "einvoice.confirm"

    async def begin(self, line: DirectLine) -> None:
        """Dial or call the operator."""
        start = line.dial if self.number.startswith("*") else line.call
        await start(self.caller, self.number)


CONFIRMATIONS = [
    Confirmation("orange-ro", "ro", ANA, "*100#", "113"),
    Confirmation("orange-ro", "ro", ANA, "411", "12"),
    Confirmation("orange-ro", "en", ANA, "*100#", "113"),
    Confirmation("orange-ro", "en", ANA, "411", "12"),
    Confirmation("orange-fr", "fr", JEANNE, "*144#", "11"),
    Confirmation("orange-fr", "fr", JEANNE, "3900", "11"),
    Confirmation("tunisie-telecom", "ar", AMINE, "*101#", "8", "callback.confirm"),
    Confirmation("tunisie-telecom", "ar", AMINE, "1298", "8", "callback.confirm"),
]


def shown(line: DirectLine) -> tuple[str, str]:
    """Return the language and the screen of the last reply."""
    assert line.reply is not None
    return line.reply.language, line.reply.node


async def drop_at_confirmation(line: DirectLine, wanted: Confirmation) -> None:
    await wanted.begin(line)
    for key in wanted.keys:
        await line.press(key)
    assert shown(line) == (wanted.language, wanted.screen)
    await line.hang_up()


async def open_line(sandbox: GatewaySandbox, wanted: Confirmation) -> DirectLine:
    await preset_language(sandbox.container, wanted.operator, wanted.caller, wanted.language)
    return sandbox.direct_line({"voice": "line"})


@pytest.mark.parametrize("wanted", CONFIRMATIONS, ids=lambda each: f"{each.language} {each.number}")
async def test_a_dropped_confirmation_is_offered_again_and_never_confirmed_by_itself(
    wanted: Confirmation, sandboxes: SandboxFactory
) -> None:
    async with sandboxes.open(operator=wanted.operator) as sandbox:
        line = await open_line(sandbox, wanted)
        await drop_at_confirmation(line, wanted)
        before = await sandbox.count_effects()
        await wanted.begin(line)
        assert shown(line) == (wanted.language, RESUME_OFFER)
        await line.press("1")
        assert shown(line) == (wanted.language, wanted.screen)
        assert await sandbox.count_effects() == before
        await line.press("1")
        assert await sandbox.count_effects() != before
