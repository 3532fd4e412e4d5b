"""Command line: help with examples, lazy imports, exit statuses, and choices that follow their sources."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

from gateway.cli import options
from gateway.cli.commands import app
from gateway.cli.main import run_command
from gateway.console.queues import PAUSABLE_ROUTES
from gateway.demo.bss.bss_servers import BSS_KINDS
from menus.packfile.schema import CHANNELS
from storage.outbox.enqueue import PRIORITY
from storage.outbox.lane_pauses import PAUSABLE_KINDS
from storage.outbox.sql_outbox import OUTBOX_STATES

ROOT = Path(__file__).parents[3]
HEAVY = {"sqlalchemy", "aiohttp", "pydantic", "redis", "alembic", "twilio", "africastalking", "fpdf", "babel"}
HEAVY |= {"transitions", "argon2", "asyncpg", "prompt_toolkit", "prometheus_client", "yaml", "jinja2"}
UNASKED = {"fpdf", "fontTools", "PIL", "redis", "asyncpg", "sqlalchemy.orm", "alembic", "mako", "pygments"}
UNUSABLE = (
    *("frobnicate", "serve --workers 0", "serve --packs /nope", "serve --port 70000", "outbox replay"),
    *(
        "outbox purge --days 0",
        "outbox list everything",
        "draw orange-ro --svg --mermaid",
        "--config /nope db upgrade",
    ),
    *("dial --channel smoke", "outbox", "notify"),
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder without settings."""
    monkeypatch.chdir(tmp_path)


def test_help_imports_no_library_that_only_commands_need() -> None:
    seen = "import sys; from gateway.cli.main import run_command as run; run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", seen], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


def command_words(command: object, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below this one that is no group."""
    below = getattr(command, "commands", {})
    for name, each in below.items():
        yield from command_words(each, *above, name)
    if not below:
        yield above


def test_a_server_loads_no_library_that_its_settings_or_requests_do_not_ask_for() -> None:
    seen = "import sys; import gateway.server.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", seen], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {"gateway.pages.pdf_renderer", "storage.sql.migrate"} <= modules and not UNASKED & modules


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for words in command_words(get_command(app)):
        assert run_command([*words, "--help"]) == 0
        assert f"Example: dialtree {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize("line", UNUSABLE)
def test_what_cannot_be_used_exits_with_status_2(line: str) -> None:
    assert run_command(line.split()) == 2


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dialtree ")


def test_choices_are_those_of_the_modules_that_know_them() -> None:
    assert get_args(options.ChannelName) == tuple(CHANNELS)
    assert get_args(options.BillingKind) == BSS_KINDS
    assert get_args(options.RowState) == OUTBOX_STATES
    assert get_args(options.MessageKindName) == tuple(PRIORITY)
    assert get_args(options.PausableKindName) == PAUSABLE_KINDS
    assert get_args(options.SmsOrEmail) == PAUSABLE_ROUTES


def test_a_settings_file_may_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALTREE_CONFIG", "")
    (tmp_path / "other.toml").write_text("publik_url = 1")
    assert run_command(["--config", "other.toml", "outbox", "list"]) == 2
    assert "publik_url: " in capsys.readouterr().err
