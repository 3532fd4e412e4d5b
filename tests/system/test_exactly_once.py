"""Exactly once: every webhook of every dialog sent three times, twice concurrently, has one effect."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.dialogs.format import Dialog
from gateway.publishing import pack_compiler
from menus.packs.loader import load_draft
from tests.support.dialog_runs import SCENARIO_PATHS, DialogRuns, dialog_name, load_dialog
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, TwilioPhone, WebhookSender, connect_webhooks

ONE_LANGUAGE = [path for path in SCENARIO_PATHS if not path.stem.endswith("-en")]
"""One language a dialog: what a provider transports does not depend on it."""
ANA, BARBU = "+40740000101", "+40740000102"
Transcript = list[tuple[str, ...]]


def has_action(path: Path, *verbs: str) -> bool:
    return any(cue.verb in verbs for cue in load_dialog(path).steps)


def unsupported_by_provider(path: Path) -> bool:
    """Return whether Africa's Talking cannot carry it.

    It carries no speech and no redelivered text that is answered again; a USSD session always names its
    number (`phoneNumber` is required), so nobody can withhold it there.
    """
    hidden = "withheld" in load_dialog(path).arguments_of("from") and has_action(path, "dial")
    return has_action(path, "say") or (has_action(path, "text") and has_action(path, "again")) or hidden


def ends_texts(path: Path) -> bool:
    """Return whether a conversation by text is ended, which only time does: no provider tells of an end."""
    verbs = [step.verb for step in load_dialog(path).steps]
    return any(verb == "hang" and not {"dial", "call"} & set(verbs[:index]) for index, verb in enumerate(verbs))


ENDABLE = [path for path in ONE_LANGUAGE if not ends_texts(path)]
PATHS_BY_PHONE = {
    AfricasTalkingPhone: [path for path in ENDABLE if not unsupported_by_provider(path)],
    TwilioPhone: [path for path in ENDABLE if not has_action(path, "dial")],
}
SPEECH_INVITES = frozenset(
    tongue.catalogue.template_for("said.invite", "voice").fill(str)
    for operator in pack_compiler.shipped_operators()
    for tongue in load_draft(
        pack_compiler.pack_folder(operator), pack_compiler.SHARED_PLACES
    ).language_packs.values()
)
SPACED_DIGITS = re.compile(r"(?<=\d) (?=\d)")
CASES = [
    pytest.param(line, path, id=f"{line.__name__}-{dialog_name(path)}")
    for line in PATHS_BY_PHONE
    for path in PATHS_BY_PHONE[line]
]


def join_elements(brought: Transcript) -> list[str]:
    """Join a transcript's elements: providers differ in how many a voice document uses.

    They also differ in how digits said one by one are written (spaces or markup) and in whether the
    caller is invited to speak (one provider recognises no speech).
    """
    heard = [[line.removeprefix("| ") for line in lines] for lines in brought]
    return [
        SPACED_DIGITS.sub("", " ".join(line for line in lines if line not in SPEECH_INVITES)) for lines in heard
    ]


def count_sms_replies(dialog: Dialog, brought: Transcript) -> int:
    """Count the SMS replies: over Africa's Talking each is one more row in the outbox.

    What is pressed after a text is one more text.
    """
    replies, opened_by = 0, ""
    for cue, lines in zip(dialog.steps, brought, strict=True):
        opened_by = cue.verb if cue.verb in ("dial", "call", "text") else opened_by
        is_text = opened_by == "text" and cue.verb in ("text", ">")
        replies += is_text and lines[:1] != () and lines[0][0] == "|"
    return replies


@pytest.mark.parametrize(("line", "path"), CASES)
async def test_a_webhook_sent_three_times_has_one_effect(
    line: type[AfricasTalkingPhone | TwilioPhone],
    path: Path,
    sandboxes: SandboxFactory,
    dialog_runs: DialogRuns,
) -> None:
    dialog, expected = load_dialog(path), await dialog_runs.play_once(path)
    async with sandboxes.open_for(dialog) as sandbox, connect_webhooks(sandbox, "thrice") as wire:
        brought = await sandbox.dialog_player(line(wire, sandbox.menu, sandbox.messages)).play(dialog)
        outbox, *rest = await sandbox.count_effects()
    own = count_sms_replies(dialog, brought) if line is AfricasTalkingPhone else 0
    assert join_elements(brought) == join_elements(expected.transcript)
    assert (outbox - own, *rest) == expected.row_counts


async def test_two_subscribers_side_by_side_never_see_each_other(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        ana = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        barbu = AfricasTalkingPhone(WebhookSender(wire.client, wire.base), sandbox.menu, sandbox.messages)
        seen = [await asyncio.gather(ana.dial(ANA, "*100#"), barbu.dial(BARBU, "*100#"))]
        seen += [await asyncio.gather(ana.press("1"), barbu.press("1")) for _ in range(3)]
    first, second = ("\n".join("\n".join(pair[who].lines) for pair in seen) for who in (0, 1))
    assert "79,90" in first and "07***101" in first and "102" not in first and "Bill" not in first
    assert "45.00" in second and "07***102" in second and "101" not in second and "Factura" not in second


async def test_two_texters_side_by_side_never_see_each_other(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        ana, barbu = (
            TwilioPhone(WebhookSender(wire.client, wire.base), sandbox.menu, sandbox.messages) for _ in range(2)
        )
        barbu.session_numbers = iter(range(100, 200))
        await asyncio.gather(ana.send_text(ANA, "477", "FACTURI"), barbu.send_text(BARBU, "477", "BILLS"))
        picked = await asyncio.gather(ana.press("1"), barbu.press("1"))
    assert "79,90" in picked[0].lines[0] and "45.00" in picked[1].lines[0]


async def test_somebody_elses_session_id_finds_nothing(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        ana, thief = (AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages) for _ in range(2))
        await ana.dial(ANA, "*100*1*1*1#")
        thief.caller, thief.channel, thief.session, thief.ussd_text = BARBU, "ussd", ana.session, "1*1*1"
        stolen = await thief.press("1")
    assert "79" not in "\n".join(stolen.lines)


async def test_a_stale_hop_gets_the_current_screen(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        await phone.dial(ANA, "*100#")
        await phone.press("1")
        old, current = wire.last_request, await phone.press("1")
        assert old is not None
        assert await wire.send_webhook(*old) == "CON " + "\n".join(current.lines)


async def test_a_stale_key_of_a_call_gets_the_current_prompt(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = TwilioPhone(wire, sandbox.menu, sandbox.messages)
        await phone.call(ANA, "411")
        await phone.press("1")
        old, current = wire.last_request, await phone.press("4")
        assert old is not None
        assert phone.display_voice(await wire.send_webhook(*old)) == current


async def test_an_old_text_delivered_again_after_others_is_answered_as_it_was(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = TwilioPhone(wire, sandbox.menu, sandbox.messages)
        first = await phone.send_text(ANA, "477", "EFACTURA")
        old = wire.last_request
        await phone.send_text(ANA, "477", "FACTURI")
        await phone.send_text(ANA, "477", "HARTIE")
        before, after = await sandbox.count_effects(), await wire.send_webhook(*old) if old else ""
        assert first.lines[0] in after
        assert await sandbox.count_effects() == before


async def test_a_password_is_checked_once_however_often_its_text_is_delivered(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox, "thrice") as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        for _ in range(5):
            await phone.send_text(ANA, "477", "WrongOne1")
        await phone.send_text(ANA, "477", "ThankYou1")
        assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code"]
