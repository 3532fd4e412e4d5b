"""A real SIP phone calls 411 through a real Asterisk: prompts heard, keys pressed, e-invoicing switched on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.providers._asterisk.asterisk_call import AsteriskCall
from gateway.providers._asterisk.asterisk_link import AsteriskLink
from tests.reach.asterisk_process import (
    ANSWER_SECONDS,
    ARI_URL,
    PASSWORD,
    SOUNDS_IN_ASTERISK,
    USER,
    AsteriskProcess,
    reach_folder,
    sip_call,
)
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.smpp_phone import hold_links

CALLER, STEP_SECONDS = "+40740000101", 0.01
PLAYED, ANOTHER = 0.8, 0.6
"""Scores: of a prompt that was played through G.711, and the most of one that was not."""


@pytest.fixture
def asterisk() -> Iterator[AsteriskProcess]:
    process = AsteriskProcess(reach_folder() / "root")
    process.prepare()
    process.start()
    yield process
    process.kill()


@asynccontextmanager
async def serve_calls(sandboxes: SandboxFactory, asterisk: AsteriskProcess) -> AsyncIterator[GatewaySandbox]:
    """Run the gateway with a link to this Asterisk."""
    section: dict[str, Any] = {"url": ARI_URL, "user": USER, "password": PASSWORD, "retry_seconds": 0.5}
    section |= {"sounds": str(asterisk.sounds), "sounds_in_asterisk": SOUNDS_IN_ASTERISK}
    section |= {"trunk_endpoints": ["PJSIP/operator-trunk"], "trunk_contexts": ["from-operator"]}
    more = {"operators": {"orange-ro": {"asterisk": section}}}
    async with sandboxes.open(more=more) as sandbox, hold_links(sandbox):
        await until(lambda: not sandbox.container.links.pool.find_faults() and bool(links_of(sandbox)))
        yield sandbox


def links_of(sandbox: GatewaySandbox) -> list[AsteriskLink]:
    return [each for each in sandbox.container.links.pool.links.values() if isinstance(each, AsteriskLink)]


def current_call(sandbox: GatewaySandbox) -> AsteriskCall | None:
    return next(iter(links_of(sandbox)[0].calls.values()), None)


async def until(holds: Any) -> None:
    """Wait for what happens in other processes."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(STEP_SECONDS)


async def until_at(sandbox: GatewaySandbox, node: str, *, is_heard: bool = False) -> AsteriskCall:
    """Wait until a screen is being said, or was heard to its end."""

    def is_there() -> bool:
        call = current_call(sandbox)
        if call is None or call.reply is None or call.reply.node != node:
            return False
        return call.stage in (("listening",) if is_heard else ("playing", "listening"))

    await until(is_there)
    call = current_call(sandbox)
    assert call is not None
    return call


def spoken_files(sandbox: GatewaySandbox, asterisk: AsteriskProcess) -> list[Path]:
    return sorted((asterisk.sounds / "shared").glob("*.wav"), key=lambda path: path.stat().st_mtime)


async def test_a_phone_switches_on_e_invoicing(
    sandboxes: SandboxFactory, asterisk: AsteriskProcess, tmp_path: Path
) -> None:
    async with (
        serve_calls(sandboxes, asterisk) as sandbox,
        sip_call(tmp_path / "heard.wav", CALLER) as phone,
    ):
        await phone.wait_for("CONFIRMED")
        await until_at(sandbox, "home", is_heard=True)
        home = spoken_files(sandbox, asterisk)
        phone.send("keys 1")
        await until_at(sandbox, "bill")
        phone.send("keys 2")
        await until_at(sandbox, "einvoice.confirm")
        phone.send("keys 1")  # interrupts the question
        await phone.wait_for("DISCONNECTED 200")
        assert await count_rows(sandbox.container.database, "consents") == 1
        scores = await phone.compare(home)
    assert len(scores) == 7 and min(scores) > PLAYED, scores


async def test_another_text_is_not_taken_for_one_that_was_heard(
    sandboxes: SandboxFactory, asterisk: AsteriskProcess, tmp_path: Path
) -> None:
    async with (
        serve_calls(sandboxes, asterisk) as sandbox,
        sip_call(tmp_path / "heard.wav", CALLER) as phone,
    ):
        await until_at(sandbox, "home", is_heard=True)
        other = await links_of(sandbox)[0].folder.find_fixed("The number you have dialled is not in use.", "en")
        phone.send("hang up")
        await phone.wait_for("DISCONNECTED")
        (score,) = await phone.compare([asterisk.sounds / f"{other.name}.wav"])
    assert score < ANOTHER


async def test_an_asterisk_killed_in_a_call_ends_it_and_serves_the_next(
    sandboxes: SandboxFactory, asterisk: AsteriskProcess, tmp_path: Path
) -> None:
    async with serve_calls(sandboxes, asterisk) as sandbox:
        async with sip_call(tmp_path / "first.wav", CALLER):
            await until_at(sandbox, "home")
            asterisk.kill()
            asterisk.start()
            await until(lambda: current_call(sandbox) is None)
        await until(lambda: links_of(sandbox)[0].report().state == "up")
        async with sip_call(tmp_path / "second.wav", CALLER) as phone:
            await phone.wait_for("CONFIRMED")
            await until_at(sandbox, "home", is_heard=True)
        assert await count_rows(sandbox.container.database, "consents") == 0


async def test_without_the_gateway_the_caller_hears_the_recording(
    asterisk: AsteriskProcess, tmp_path: Path, sandboxes: SandboxFactory
) -> None:
    async with serve_calls(sandboxes, asterisk) as sandbox:
        away = await links_of(sandbox)[0].folder.find_fixed("Vă rugăm să reveniți mai târziu.", "ro")
        recording = asterisk.sounds / "away.wav"
        recording.write_bytes((asterisk.sounds / f"{away.name}.wav").read_bytes())
    async with sip_call(tmp_path / "heard.wav", CALLER) as phone:
        await phone.wait_for("DISCONNECTED")
        assert (await phone.compare([recording]))[0] > PLAYED


async def test_an_agent_who_does_not_answer_is_followed_by_words(
    sandboxes: SandboxFactory, asterisk: AsteriskProcess, tmp_path: Path
) -> None:
    async with serve_calls(sandboxes, asterisk) as sandbox:
        sorry = sandbox.container.conversations.apology_reply("orange-ro", "voice", "ro").prompts[0]
        words = await links_of(sandbox)[0].folder.find_fixed(sorry.text, "ro")
        async with sip_call(tmp_path / "heard.wav", CALLER) as phone:
            await until_at(sandbox, "home")
            phone.send("keys 0")
            await phone.wait_for("DISCONNECTED 200")  # nobody listens at the agent's port
            assert (await phone.compare([asterisk.sounds / f"{words.name}.wav"]))[0] > PLAYED


def test_the_page_shows_the_dialplan_that_ran() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reach" / "asterisk.md").read_text()
    assert (Path(__file__).parent / "asterisk" / "extensions.conf").read_text() in page
