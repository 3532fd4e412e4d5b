"""The console as a role of its own: both listeners, none without settings, none with an open file of users."""

from pathlib import Path

import aiohttp
import pytest

from gateway.console.console_server import serve_console
from gateway.console.user_file import UserFileError
from gateway.server.health import Health
from gateway.settings_sources import SettingsError
from tests.support.console_site import write_users
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory


def console_table(folder: Path) -> dict[str, object]:
    """Return settings with a console on free ports."""
    users = str(folder / "users.json")
    return {"console": {"public_url": "http://127.0.0.1", "users_file": users, "port": 0, "internal_port": 0}}


async def test_both_listeners_answer_and_the_gateways_pages_are_not_there(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    write_users(tmp_path / "users.json")
    async with sandboxes.open(more=console_table(tmp_path)) as sandbox:
        health = Health(sandbox.container)
        async with (
            serve_console(sandbox.container, health) as (port, internal_port),
            aiohttp.ClientSession() as web,
        ):
            paths = {
                f"http://127.0.0.1:{port}/console": 200,
                f"http://127.0.0.1:{port}/orange-ro/bill": 404,
                f"http://127.0.0.1:{port}/metrics": 404,
                f"http://127.0.0.1:{internal_port}/readyz": 200,
                f"http://127.0.0.1:{internal_port}/metrics": 200,
            }
            assert {path: (await web.get(path)).status for path in paths} == paths


async def test_a_file_of_users_that_others_may_read_stops_the_start(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    write_users(tmp_path / "users.json")
    (tmp_path / "users.json").chmod(0o644)
    async with sandboxes.open(more=console_table(tmp_path)) as sandbox:
        with pytest.raises(UserFileError):
            async with serve_console(sandbox.container, Health(sandbox.container)):
                pass


async def test_without_a_table_there_is_no_listener(sandbox: GatewaySandbox) -> None:
    with pytest.raises(SettingsError):
        async with serve_console(sandbox.container, Health(sandbox.container)):
            pass
