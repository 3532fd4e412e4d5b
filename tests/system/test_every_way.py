"""One dialog over every way a subscriber may come: the same screens, the same effects; prints the table."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.dialogs.player import PhoneLine
from gateway.http.listening import serve_app
from gateway.providers import gsup
from gateway.server.app import public_app
from tests.support.ari_phone import connect_asterisk
from tests.support.described_phone import DescribedPhone
from tests.support.dialog_runs import DIALOG_FOLDER, DialogRuns, load_dialog
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gsup_phone import connect_gsup
from tests.support.jambonz_phone import connect_jambonz
from tests.support.osmo_hlr import OsmoHlr
from tests.support.provider_examples import described_providers
from tests.support.provider_phones import AfricasTalkingPhone, TwilioPhone, connect_webhooks
from tests.support.server_processes import ProgramMissing, run_server, skip_missing
from tests.support.smpp_phone import connect_smpp

DIALOG = DIALOG_FOLDER / "orange-ro" / "ussd" / "einvoice-ro.dialog"
"""A whole activation, with the same key twice in a row."""
CALL = DIALOG_FOLDER / "orange-ro" / "voice" / "einvoice-ro.dialog"
"""The same by a call to 411."""
AGGREGATORS = {name: each for name, each in described_providers().items() if "ussd" in each.description.routes}
DIALECTS = ("plain", "sixdee", "mica")


LEFT_OUT = "LEFT OUT: gsup, as osmo-hlr is not installed (make services)\n"


@pytest.fixture(scope="module")
def hlr() -> Iterator[OsmoHlr | None]:
    """Provide an HLR; None, except in CI, where none is installed: the other ways are played all the same."""
    try:
        with run_server(OsmoHlr) as server:
            yield server
    except ProgramMissing as missing:
        if os.environ.get("CI") == "true":
            skip_missing(missing)
        yield None


@dataclass(frozen=True, slots=True)
class PlayedWay:
    """What one way brought."""

    name: str
    transcript: list[tuple[str, ...]]
    effects: tuple[int, ...]

    @property
    def screens(self) -> int:
        return sum(any(line.startswith("|") for line in lines) for lines in self.transcript)


@asynccontextmanager
async def over_webhooks(
    sandboxes: SandboxFactory, phone: type[AfricasTalkingPhone | TwilioPhone], dialog: Path
) -> AsyncIterator[tuple[PhoneLine, GatewaySandbox]]:
    async with sandboxes.open_for(load_dialog(dialog)) as sandbox, connect_webhooks(sandbox) as sender:
        yield phone(sender, sandbox.menu, sandbox.messages), sandbox


@asynccontextmanager
async def over_asterisk(
    sandboxes: SandboxFactory, sounds: Path
) -> AsyncIterator[tuple[PhoneLine, GatewaySandbox]]:
    async with connect_asterisk(sandboxes, sounds, dialog=load_dialog(CALL)) as phone:
        yield phone, phone.sandbox


@asynccontextmanager
async def over_aggregator(
    sandboxes: SandboxFactory, name: str
) -> AsyncIterator[tuple[PhoneLine, GatewaySandbox]]:
    provider = AGGREGATORS[name]
    section: dict[str, Any] = {name: dict(provider.example_settings())}
    async with (
        sandboxes.open(start_time(), more={"operators": {"orange-ro": section}}) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        yield DescribedPhone(client, f"http://127.0.0.1:{port}", "orange-ro", provider), sandbox


def over_smpp(sandboxes: SandboxFactory, dialect: str) -> Any:
    return connect_smpp(sandboxes, dialect, at=start_time())


def over_gsup(sandboxes: SandboxFactory, hlr: OsmoHlr) -> Any:
    return connect_gsup(sandboxes, hlr, at=start_time())


def start_time() -> str:
    return load_dialog(DIALOG).first_argument("at", "2026-03-10 09:00")


async def play_directly(sandboxes: SandboxFactory, page_size: str) -> PlayedWay:
    """Play the dialog in process, with screens of a size."""
    async with sandboxes.open(start_time()) as sandbox:
        phone = replace(sandbox.direct_line(), page_size=page_size)
        transcript = await sandbox.dialog_player(phone).play(load_dialog(DIALOG))
        return PlayedWay(f"direct, {page_size}", transcript, await sandbox.count_effects())


async def play_over(way: Any, name: str, dialog: Path = DIALOG) -> PlayedWay:
    async with way as (phone, sandbox):
        transcript = await sandbox.dialog_player(phone).play(load_dialog(dialog))
        return PlayedWay(name, transcript, await sandbox.count_effects())


def write_table(dialog: Path, played: list[PlayedWay]) -> str:
    """Return one line a way: screens, rows written, and the first screen that ended a session."""
    lines = [f"{dialog.parent.name}/{dialog.name}", f"{'way':<22}{'screens':>8}{'rows':>12}  ends with"]
    for way in played:
        ending = next((each for each in way.transcript if "= end" in each), ("",))
        rows = ",".join(map(str, way.effects))
        lines.append(f"{way.name:<22}{way.screens:>8}{rows:>12}  {ending[0].removeprefix('| ')[:52]}")
    return "\n".join(["", *lines, ""])


async def test_one_dialog_shows_the_same_over_every_way(
    sandboxes: SandboxFactory, dialog_runs: DialogRuns, capsys: pytest.CaptureFixture[str], hlr: OsmoHlr | None
) -> None:
    direct = await dialog_runs.play_once(DIALOG)
    played = [PlayedWay("direct", direct.transcript, direct.row_counts)]
    played.append(await play_over(over_webhooks(sandboxes, AfricasTalkingPhone, DIALOG), "africastalking"))
    played += [await play_over(over_aggregator(sandboxes, name), name) for name in AGGREGATORS]
    played += [await play_over(over_smpp(sandboxes, name), f"smpp {name}") for name in DIALECTS]
    small = [await play_directly(sandboxes, gsup.PAGE_SIZE)]
    if hlr is not None:
        small.append(await play_over(over_gsup(sandboxes, hlr), "gsup, osmo-hlr"))
    with capsys.disabled():
        sys.stdout.write(write_table(DIALOG, [*played, *small]))
        sys.stdout.write("" if hlr else LEFT_OUT)
    assert len(played) >= 2 + 6 + 3
    for ways in (played, small):
        for way in ways:
            assert (way.transcript, way.effects) == (ways[0].transcript, ways[0].effects), way.name


async def test_one_call_sounds_the_same_over_every_way(
    sandboxes: SandboxFactory, dialog_runs: DialogRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    direct = await dialog_runs.play_once(CALL)
    played = [PlayedWay("direct", direct.transcript, direct.row_counts)]
    for phone, name in ((AfricasTalkingPhone, "africastalking"), (TwilioPhone, "twilio")):
        played.append(await play_over(over_webhooks(sandboxes, phone, CALL), name, CALL))
    at = load_dialog(CALL).first_argument("at")
    played.append(await play_over(connect_jambonz(sandboxes, at), "jambonz", CALL))
    played.append(await play_over(over_asterisk(sandboxes, tmp_path), "asterisk", CALL))
    with capsys.disabled():
        sys.stdout.write(write_table(CALL, played))
    for way in played:
        said = [join_prompts(lines) for lines in way.transcript]
        assert said == [join_prompts(lines) for lines in direct.transcript], way.name
        assert way.effects == direct.row_counts, way.name


def join_prompts(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines with what is said as one: a provider may say prompts together."""
    said = " ".join(line.removeprefix("| ") for line in lines if line.startswith("|"))
    return said, *(line for line in lines if not line.startswith("|"))
