"""`dialtree db upgrade` while no database answers: why, how long it waits, and a status of its own."""

import json
from pathlib import Path

import pytest

from gateway.cli.main import EXIT_INCOMPLETE, run_command
from gateway.wiring import database_start
from tests.gateway.http.test_port_taken import restored_logging as restored_logging
from tests.support.free_ports import free_port

SETTINGS = """
public_url = "https://gw.example.net"
secret_key = "qW8zL3kTf6YpR1mNv9XcB5hJs2DgE7uA"
[operators.orange-ro]
"""


@pytest.fixture(autouse=True)
def settings_without_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a database that is not there, and wait for it for less than the half minute of a real start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")
    (tmp_path / "dialtree.toml").write_text(SETTINGS)
    monkeypatch.setattr(database_start, "STARTUP_WAIT_SECONDS", 0.7)


@pytest.mark.usefixtures("restored_logging")
def test_an_upgrade_says_why_it_waits_and_gives_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["db", "upgrade"]) == EXIT_INCOMPLETE
    *lines, last = capsys.readouterr().err.splitlines()
    (waiting,) = map(json.loads, lines)
    assert waiting["event"] == "server.database_unreachable"
    assert waiting["reason"] == "connection_refused; tried again for 1 s"
    assert last == "database_url: the database does not answer (connection_refused)"
