"""SMS turns: opt-out words, and senders that are no number."""

import pytest

from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox

ANA = "+40740000101"


@pytest.mark.parametrize("text", ["Reclama! 50% reducere", "FACTURA", "STOP", "ThankYou1"])
async def test_a_sender_that_is_no_number_gets_no_conversation_and_no_reply(
    text: str, sandbox: GatewaySandbox
) -> None:
    before = await sandbox.count_effects()
    said = await sandbox.direct_line().send_text("", "477", text)
    assert not said.lines
    assert await sandbox.count_effects() == before


async def test_senders_without_a_number_prove_nothing_to_each_other(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    await line.send_text("", "477", "ThankYou1")
    said = await line.send_text("", "477", "FACT")
    assert "79,90" not in "".join(said.lines)


@pytest.mark.parametrize("word", ["OPTOUT", "opt out", "Revoke"])
async def test_words_that_networks_block_for_are_opt_outs_here_too(word: str, sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    await line.send_text(ANA, "477", word)
    assert await count_rows(sandbox.container.database, "opt_outs") == 1
    await line.send_text(ANA, "477", "yes")
    assert await count_rows(sandbox.container.database, "opt_outs") == 0
