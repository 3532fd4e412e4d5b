"""Confirmation mails: so many for one phone, so many to one address whoever asks; no change beyond."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from gateway.dialogs.direct_line import DirectLine
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

ANA, BARBU, DAN = "+40740000101", "+40740000102", "+40740000105"
VICTIM = "victim@example.test"


@dataclass
class Asked:
    """What a phone was answered, and the mails that went out."""

    answer: str
    mails: int


async def ask_for_mail(sandbox: GatewaySandbox, phone: DirectLine, caller: str, address: str = VICTIM) -> Asked:
    """Text an address for notices."""
    answer = await phone.send_text(caller, "477", f"NOTIF EMAIL {address}")
    mails = [each for each in await sandbox.messages.collect_new() if each.to.casefold() == address.casefold()]
    return Asked("\n".join(answer.lines), len(mails))


async def test_a_phone_that_asks_on_is_refused_and_nothing_is_changed(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    asked = [await ask_for_mail(sandbox, phone, ANA, f"{each}@example.test") for each in range(7)]
    assert [each.mails for each in asked] == [1] * 5 + [0] * 2
    assert "Prea multe e-mailuri" in asked[-1].answer
    ports = sandbox.container.operators["orange-ro"]
    owner = await ports.billing.get_subscriber(ANA)
    assert (await ports.ledger.get_preference("orange-ro", owner.id)).email == "4@example.test"
    sandbox.clock.advance(timedelta(hours=1))
    assert (await ask_for_mail(sandbox, phone, ANA)).mails == 1


async def test_an_address_gets_its_share_whoever_asks(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    spelt = (VICTIM, VICTIM.upper())
    mails = [
        (await ask_for_mail(sandbox, phone, caller, spelt[turn % 2])).mails
        for turn, caller in enumerate((ANA, ANA, ANA, BARBU, BARBU, BARBU, DAN))
    ]
    assert sum(mails) == 5 and mails[5:] == [0, 0]
    for _ in range(3):
        sandbox.clock.advance(timedelta(hours=2))
        mails += [(await ask_for_mail(sandbox, phone, caller)).mails for caller in (ANA, BARBU, DAN)]
    assert sum(mails) == 10


async def test_a_registration_counts_for_the_address(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(operator="tunisie-telecom") as sandbox:
        phone = sandbox.direct_line()
        sent = 0
        for _ in range(12):
            sandbox.clock.advance(timedelta(minutes=21))
            await phone.send_text("+21698000101", "85000", f"EMAIL {VICTIM}")
            sent += len([each for each in await sandbox.messages.collect_new() if each.to == VICTIM])
        assert 1 < sent <= 6


@pytest.mark.parametrize("table", ["codes", "code_sends", "code_tries"])
async def test_the_address_is_kept_as_a_keyed_hash(sandbox: GatewaySandbox, table: str) -> None:
    await ask_for_mail(sandbox, sandbox.direct_line(), ANA)
    assert "victim" not in await dump_table(sandbox.container.database, table)
