"""Exactly once: every webhook of every dialog sent three times, twice concurrently, has one effect."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.dialogs.format import Dialog
from gateway.publishing import pack_compiler
from menus.packs.loader import draft
from tests.lines import OverAfricasTalking, OverTwilio, Wire, wired
from tests.runs import CALLS, Runs, load, named
from tests.world import World, Worlds

ONE_LANGUAGE = [path for path in CALLS if not path.stem.endswith("-en")]
"""One language a dialog: what a provider transports does not depend on it."""
ANA, BARBU = "+40740000101", "+40740000102"
Transcript = list[tuple[str, ...]]


def does(path: Path, *verbs: str) -> bool:
    return any(cue.verb in verbs for cue in load(path).cues)


def carried_otherwise(path: Path) -> bool:
    """Return whether Africa's Talking cannot carry it: speech, or a redelivered text that is answered again."""
    return does(path, "say") or (does(path, "text") and does(path, "again"))


CARRIED = {
    OverAfricasTalking: [path for path in ONE_LANGUAGE if not carried_otherwise(path)],
    OverTwilio: [path for path in ONE_LANGUAGE if not does(path, "dial")],
}
INVITES = frozenset(
    tongue.catalogue.template("said.invite", "voice").fill(str)
    for operator in pack_compiler.names()
    for tongue in draft(pack_compiler.folder(operator), pack_compiler.PLACES).tongues.values()
)
SPACED = re.compile(r"(?<=\d) (?=\d)")
CASES = [
    pytest.param(line, path, id=f"{line.__name__}-{named(path)}") for line in CARRIED for path in CARRIED[line]
]


def joined(brought: Transcript) -> list[str]:
    """Join a transcript's elements: providers differ in how many a voice document uses.

    They also differ in how digits said one by one are written (spaces or markup) and in whether the
    caller is invited to speak (one provider recognises no speech).
    """
    heard = [[line.removeprefix("| ") for line in lines] for lines in brought]
    return [SPACED.sub("", " ".join(line for line in lines if line not in INVITES)) for lines in heard]


def replies(dialog: Dialog, brought: Transcript) -> int:
    """Count the SMS replies: over Africa's Talking each is one more row in the outbox."""
    texted = zip(dialog.cues, brought, strict=True)
    return sum(cue.verb == "text" and lines[:1] != () and lines[0][0] == "|" for cue, lines in texted)


@pytest.mark.parametrize(("line", "path"), CASES)
async def test_a_webhook_sent_three_times_has_one_effect(
    line: type[OverAfricasTalking | OverTwilio], path: Path, sandboxes: Worlds, dialog_runs: Runs
) -> None:
    dialog, expected = load(path), await dialog_runs.of(path)
    async with sandboxes.of(dialog) as sandbox, wired(sandbox, "thrice") as wire:
        brought = await sandbox.player(line(wire, sandbox.menu, sandbox.post)).play(dialog)
        outbox, *rest = await sandbox.counts()
    own = replies(dialog, brought) if line is OverAfricasTalking else 0
    assert joined(brought) == joined(expected.brought)
    assert (outbox - own, *rest) == expected.counts


async def test_two_subscribers_side_by_side_never_see_each_other(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        ana = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        barbu = OverAfricasTalking(Wire(wire.client, wire.base), sandbox.menu, sandbox.post)
        seen = [await asyncio.gather(ana.dial(ANA, "*100#"), barbu.dial(BARBU, "*100#"))]
        seen += [await asyncio.gather(ana.press("1"), barbu.press("1")) for _ in range(3)]
    first, second = ("\n".join("\n".join(pair[who].lines) for pair in seen) for who in (0, 1))
    assert "79,90" in first and "07***101" in first and "102" not in first and "Bill" not in first
    assert "45.00" in second and "07***102" in second and "101" not in second and "Factura" not in second


async def test_two_texters_side_by_side_never_see_each_other(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        ana, barbu = (OverTwilio(Wire(wire.client, wire.base), sandbox.menu, sandbox.post) for _ in range(2))
        barbu.numbered = iter(range(100, 200))
        await asyncio.gather(ana.text(ANA, "477", "FACTURI"), barbu.text(BARBU, "477", "BILLS"))
        picked = await asyncio.gather(ana.press("1"), barbu.press("1"))
    assert "79,90" in picked[0].lines[0] and "45.00" in picked[1].lines[0]


async def test_somebody_elses_session_id_finds_nothing(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        ana, thief = (OverAfricasTalking(wire, sandbox.menu, sandbox.post) for _ in range(2))
        await ana.dial(ANA, "*100*1*1*1#")
        thief.caller, thief.channel, thief.session, thief.heard = BARBU, "ussd", ana.session, "1*1*1"
        stolen = await thief.press("1")
    assert "79" not in "\n".join(stolen.lines)


async def test_a_stale_hop_gets_the_current_screen(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        await phone.dial(ANA, "*100#")
        await phone.press("1")
        old, current = wire.last, await phone.press("1")
        assert old is not None
        assert await wire.send(*old) == "CON " + "\n".join(current.lines)


async def test_a_stale_key_of_a_call_gets_the_current_prompt(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        phone = OverTwilio(wire, sandbox.menu, sandbox.post)
        await phone.call(ANA, "411")
        await phone.press("1")
        old, current = wire.last, await phone.press("4")
        assert old is not None
        assert phone.heard_in(await wire.send(*old)) == current


async def test_an_old_text_delivered_again_after_others_is_answered_as_it_was(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        phone = OverTwilio(wire, sandbox.menu, sandbox.post)
        first = await phone.text(ANA, "477", "EFACTURA")
        old = wire.last
        await phone.text(ANA, "477", "FACTURI")
        await phone.text(ANA, "477", "HARTIE")
        before, after = await sandbox.counts(), await wire.send(*old) if old else ""
        assert first.lines[0] in after
        assert await sandbox.counts() == before


async def test_a_password_is_checked_once_however_often_its_text_is_delivered(sandbox: World) -> None:
    async with wired(sandbox, "thrice") as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        for _ in range(5):
            await phone.text(ANA, "477", "WrongOne1")
        await phone.text(ANA, "477", "ThankYou1")
        assert [notice.kind for notice in await sandbox.post.collect()] == ["code"]
