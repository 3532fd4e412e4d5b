"""SMS turns: opt-out words, and senders that are no number."""

import pytest

from gateway.dialogs.sandbox import preset_language
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

ANA, STRANGER = "+40740000101", "+40749999999"


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


async def replies(sandbox: GatewaySandbox, caller: str, *bodies: str) -> list[str]:
    """Return the reply to each text, empty for silence."""
    line = sandbox.direct_line()
    number = sandbox.menu.config.numbers.sms
    return ["\n".join((await line.send_text(caller, number, body)).lines) for body in bodies]


@pytest.mark.parametrize(("caller", "helped"), [(ANA, 2), (STRANGER, 1)], ids=["subscriber", "stranger"])
async def test_before_texts_not_understood_get_no_answer_one_message_says_so(
    caller: str, helped: int, sandbox: GatewaySandbox
) -> None:
    told = await replies(sandbox, caller, *["blah blah"] * (helped + 3))
    assert told[0] == told[helped - 1]
    assert told[helped].startswith("Nu intelegem mesajele dvs.")
    assert "timp de 10 minute" in told[helped]
    assert told[helped + 1 :] == ["", ""]


async def test_a_keyword_is_answered_during_that_silence(sandbox: GatewaySandbox) -> None:
    await replies(sandbox, ANA, *["blah blah"] * 4)
    assert all(await replies(sandbox, ANA, "FACTURA"))


async def test_the_silence_of_too_many_texts_is_announced_once(sandbox: GatewaySandbox) -> None:
    told = await replies(sandbox, STRANGER, *["FACTURA"] * 24)
    assert told[20] == "Prea multe mesaje. Va raspundem din nou in cel mult 10 minute."
    assert told[21:] == ["", "", ""]


@pytest.mark.parametrize(
    ("operator", "caller", "language", "words"),
    [
        ("orange-ro", ANA, "en", "Too many messages. We answer again in 10 minutes at the latest."),
        ("orange-fr", "+33600000101", "fr", "dans 10 minutes au plus tard"),
        ("tunisie-telecom", "+21698000101", "ar", "خلال 10 دقائق"),
        ("tunisie-telecom", "+21698000101", "ar-Latn", "khilal 10 daqa2iq"),
    ],
)
async def test_it_is_announced_in_the_language_of_the_sender(
    operator: str, caller: str, language: str, words: str, sandboxes: SandboxFactory
) -> None:
    async with sandboxes.open(operator=operator) as sandbox:
        await preset_language(sandbox.container, operator, caller, language)
        keyword = sandbox.menu.keywords.config.keywords[0].words[0]
        told = await replies(sandbox, caller, *[keyword] * 22)
    assert words in told[20]
    assert told[21] == ""
