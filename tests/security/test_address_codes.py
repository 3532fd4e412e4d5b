"""New addresses over connections that prove nothing: the line's own code comes first (threats T5, T6)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from flows.domain.records import OutboundMessage, Secret
from gateway.dialogs.direct_line import DirectLine
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

THIEF = "thief@attacker.test"
UNPROVEN = {"sms": "none", "ussd": "none", "voice": "none"}
OWN_PIN = "4826"
GIVEN = {
    "orange-ro": ("+40740000101", f"NOTIF EMAIL {THIEF}", ()),
    "orange-ro, the address alone": ("+40740000101", THIEF, ()),
    "orange-fr": ("+33600000101", f"EMAIL {THIEF}", ()),
    "orange-fr, the address alone": ("+33600000101", THIEF, ()),
    "bouygues": ("+33660000101", f"NOTIF EMAIL {THIEF}", ()),
    "tunisie-telecom": ("+21698000101", f"EMAIL {THIEF}", ()),
    "tunisie-telecom, all lines": ("+21698000101", f"EMAIL TOUT {THIEF}", ()),
    "maroc-telecom": ("+212661000101", f"EMAIL {THIEF}", (OWN_PIN,)),
}
"""Caller, text, and what is asked before the code, by operator."""


@dataclass
class Texter:
    """A phone that texts over a connection whose senders may be forged."""

    sandbox: GatewaySandbox
    line: DirectLine
    caller: str
    code: str = ""
    """The code that came to the line itself."""

    async def text(self, body: str) -> list[OutboundMessage]:
        """Text, and return what was sent besides the reply."""
        await self.line.send_text(self.caller, self.sandbox.menu.config.numbers.sms, body)
        messages = await self.sandbox.messages.collect_new()
        for each in messages:
            if each.kind == "code":
                assert each.to == self.caller
                [self.code] = re.findall(r"\b\d{6}\b", each.body)
        return messages


@pytest.fixture(params=GIVEN)
async def texter(request: pytest.FixtureRequest, sandboxes: SandboxFactory) -> AsyncIterator[Texter]:
    """Provide a phone that has given a new address, and the secret if one is asked before the code."""
    operator, (caller, text, secrets) = request.param.partition(",")[0], GIVEN[request.param]
    async with sandboxes.open(operator=operator) as sandbox:
        ports = sandbox.container.operators[operator]
        await ports.passwords.set_password(operator, caller, Secret(OWN_PIN), "pin", ports.now())
        texter = Texter(sandbox, sandbox.direct_line(UNPROVEN), caller)
        for body in (text, *secrets):
            assert not has_letter(await texter.text(body))
        yield texter


def has_letter(messages: list[OutboundMessage]) -> bool:
    """Return whether the new address was written to."""
    return any(each.to == THIEF for each in messages)


async def test_T5_T6_a_new_address_waits_for_the_code_sent_to_the_line(texter: Texter) -> None:
    before = await texter.sandbox.count_effects()
    assert not has_letter(await texter.text("000000"))
    assert await texter.sandbox.count_effects() == before
    assert has_letter(await texter.text(texter.code))


async def test_T5_T6_a_pin_alone_changes_no_address(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(operator="orange-fr") as sandbox:
        texter = Texter(sandbox, sandbox.direct_line(UNPROVEN), "+33600000101")
        for body in ("FACTURE", "2580", f"EMAIL {THIEF}"):
            messages = await texter.text(body)
        assert not has_letter(messages) and texter.code


async def test_T5_T6_a_proven_line_needs_no_code_for_a_new_address(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(operator="orange-fr") as sandbox:
        texter = Texter(sandbox, sandbox.direct_line(), "+33600000101")
        assert has_letter(await texter.text(f"EMAIL {THIEF}")) and not texter.code


async def test_T5_T6_who_proved_another_line_only_sees_none_that_the_forged_number_registered(
    sandboxes: SandboxFactory,
) -> None:
    owner, victim_email = "+21698000101", "amine@example.test"
    async with sandboxes.open(operator="tunisie-telecom") as sandbox:
        own = Texter(sandbox, sandbox.direct_line(), owner)
        await own.text(f"EMAIL {victim_email}")
        sandbox.clock.advance(timedelta(minutes=11))
        forged = Texter(sandbox, sandbox.direct_line(UNPROVEN), owner)
        forged.line.session_prefix = "forged"
        await forged.text("EFACT 71000102 88441207")
        assert len([each for each in await forged.text(f"EMAIL TOUT {THIEF}") if each.to == THIEF]) == 1
        await forged.text("EFACT ETAT")
        assert forged.line.reply is not None and "98***101" not in forged.line.reply.text
        sandbox.clock.advance(timedelta(minutes=1))
        assert [each for each in await forged.text("RENVOI") if each.to == victim_email] == []
