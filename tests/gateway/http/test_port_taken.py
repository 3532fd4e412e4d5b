"""A port in use stops the start with one sentence that names the setting."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.cli.main import EXIT_UNUSABLE, run_command
from gateway.console.console_server import serve_console
from gateway.console_settings import ConsoleSettings
from gateway.http.listening import PortTakenError, serve_app
from gateway.server.health import Health
from gateway.server.internal_listener import LINK_OFFSET, serve_worker_listener, worker_port
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import SandboxFactory


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo what a command that serves does to the loggers."""
    loggers = [logging.getLogger(name) for name in ("", "dialtree", "dialtree.smpp", "dialtree.links")]
    before = [(each, each.level, each.handlers[:]) for each in loggers]
    yield
    for each, level, handlers in before:
        each.setLevel(level)
        each.handlers[:] = handlers


@pytest.mark.parametrize("setting", ["PORT", "internal_port"])
async def test_a_taken_port_names_its_setting(setting: str) -> None:
    async with serve_app(web.Application(), "127.0.0.1", 0) as port:
        with pytest.raises(PortTakenError, match=f"^{setting}: port {port} of 127.0.0.1 is in use; "):
            async with serve_app(web.Application(), "127.0.0.1", port, port_setting=setting):
                pass


@pytest.mark.usefixtures("restored_logging")
def test_the_demo_says_at_once_that_its_port_is_taken(
    taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, port in (("PORT", taken_port), ("WALLET_PORT", free_port())):
        monkeypatch.setenv(name, str(port))
    assert run_command(["demo"]) == EXIT_UNUSABLE
    printed = capsys.readouterr()
    assert printed.out == "The demo starts; this takes a few seconds.\n"
    assert printed.err == f"PORT: port {taken_port} of 127.0.0.1 is in use; set another one\n"
    assert not list(tmp_path.rglob("demo.db"))


def test_the_smsc_in_the_terminal_names_its_port(taken_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["smsc", "--port", str(taken_port)]) == EXIT_UNUSABLE
    sentence = f"--port or SMSC_PORT: port {taken_port} of 127.0.0.1 is in use; set another one\n"
    assert capsys.readouterr().err == sentence


async def test_a_link_names_the_setting_of_its_internal_listener(
    sandboxes: SandboxFactory, taken_port: int
) -> None:
    async with sandboxes.open(more={"worker_port": taken_port}) as sandbox:
        port = worker_port(sandbox.container.settings, LINK_OFFSET)
        with pytest.raises(PortTakenError, match=r"^worker_port: "):
            async with serve_worker_listener(sandbox.container, Health(sandbox.container), port):
                pass


@pytest.mark.parametrize("field", ["port", "internal_port"])
async def test_the_console_names_the_setting_of_either_listener(
    sandboxes: SandboxFactory, taken_port: int, tmp_path: Path, field: str
) -> None:
    async with sandboxes.open(more=console_settings(tmp_path, **{field: taken_port})) as sandbox:
        with pytest.raises(PortTakenError, match=rf"^console\.{field}: "):
            async with serve_console(sandbox.container, Health(sandbox.container)):
                pass


async def test_the_console_leaves_the_workers_port_to_the_worker(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    more = {"worker_port": free_port(), **console_settings(tmp_path)}
    async with sandboxes.open(more=more) as sandbox:
        async with serve_console(sandbox.container, Health(sandbox.container)) as (_, internal_port):
            assert internal_port != sandbox.container.settings.worker_port


def console_settings(folder: Path, **ports: int) -> dict[str, object]:
    users = folder / "users.json"
    users.write_text('{"users": {}}')
    users.chmod(0o600)
    given = {"port": free_port(), "public_url": "https://console.example.net", "users_file": str(users)}
    return {"console": ConsoleSettings.model_validate({**given, **ports}).model_dump(exclude_unset=True)}
