"""The drill itself with an outage of ten seconds, and what it does when a step is not seen or it is stopped."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientSession

from tests.staging import outage_drill
from tests.staging.compose_services import ROOT
from tests.staging.drill_scale import DrillScale
from tests.staging.outage_drill import REASON, OutageDrill, StepMissed, find_row, run_drill
from tests.staging.prometheus_server import PrometheusClient
from tests.staging.staging_provider import StagingTwilio
from tests.staging.staging_site import PROGRAMS, StagingSite
from tests.support.console_site import StaffMember
from tests.support.installed_programs import find_or_skip

STEPS = [
    *("scale", "stores", "started", "message delivered", "processes up", "no alert", "panel green"),
    *("provider out", "console, story", "panel red", "console, queues", "alert", "provider back"),
    *("alert resolved", "panel green", "queue drained", "console, story"),
]
PAGE = """<table><tr><th>no.</th></tr>
<tr><td>7</td><td><bdi>twilio</bdi>: given up</td></tr>
<tr><td>8</td><td class="long"><bdi>twilio: TryLater: HTTP 503 code 30410</bdi>
</td></tr></table>"""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a folder for temporary files that PostgreSQL's user may pass through."""
    for program in PROGRAMS:
        find_or_skip(program)
    folder = Path(tempfile.mkdtemp(prefix="dialtree-drill-"))
    folder.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that name the folder."""
    lines = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(each.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return [line for line in lines if f"{folder}/" in line]


@pytest.mark.postgres
@pytest.mark.redis
def test_alert_dashboard_and_console_tell_of_an_outage_and_of_its_end(scratch: Path) -> None:
    seen: list[tuple[str, str]] = []
    asyncio.run(run_drill(DrillScale(10), lambda step, value: seen.append((step, value))))
    assert [step for step, _ in seen] == STEPS
    found = dict(seen)
    assert "DialtreeCircuitOpen firing" in found["alert"]
    assert REASON in found["console, queues"]
    assert "= 1, red from 1" in found["panel red"] and "= 0, red from 1" in found["panel green"]
    assert "delivered" in found["console, story"]
    assert not list(scratch.iterdir()) and not processes_of(scratch)


@pytest.mark.postgres
@pytest.mark.redis
def test_an_interrupted_drill_leaves_no_process_and_no_file(scratch: Path) -> None:
    command = [sys.executable, "-m", "tests.staging.outage_drill"]
    environment = os.environ | {"TMPDIR": str(scratch)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as drill:
        assert drill.stdout is not None
        assert [drill.stdout.readline().split()[1] for _ in range(2)] == ["scale", "stores"]
        assert processes_of(scratch)
        drill.send_signal(signal.SIGINT)
        assert drill.wait(120) == 130
    assert not list(scratch.iterdir()) and not processes_of(scratch)


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.staging.staging_site.PROGRAMS", ("prometheus",))
    assert outage_drill.main([]) == 2
    assert capsys.readouterr().err == "prometheus is not installed: apt-get install prometheus\n"


async def test_a_step_that_is_not_seen_in_time_ends_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_drill, "STEP_SECONDS", 0.0)

    async def see_nothing() -> str:
        return ""

    async with ClientSession() as session:
        drill = OutageDrill(
            cast(StagingSite, None),
            DrillScale(10),
            PrometheusClient(session, ""),
            session,
            StaffMember(session, ""),
            lambda step, value: None,
        )
        with pytest.raises(StepMissed, match="panel red"):
            await asyncio.wait_for(drill.wait_for("panel red", see_nothing), 10)


def test_the_row_of_a_page_is_found_by_its_words_and_its_number() -> None:
    assert find_row(PAGE, REASON) == ["8", REASON]
    assert find_row(PAGE, "given up") == ["7", "twilio: given up"]
    assert find_row(PAGE, "given up", "8") == [] and find_row(PAGE, "delivered") == []


async def test_the_provider_refuses_while_it_is_out_and_takes_nothing() -> None:
    async with StagingTwilio(is_out=True) as provider, ClientSession() as session:
        async with session.post(provider.url, data={"To": "+40740000101", "Body": "x"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, 30410)
        assert (provider.message_count, provider.refused_count) == (0, 1)
        assert provider.reports.empty()
