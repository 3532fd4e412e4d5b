"""Gateway processes under test on real stores, killed and stopped at will."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.free_ports import free_port
from tests.support.server_processes import wait_until

SECRET = "a secret for the fault tests, nowhere else"
HOOK_TOKEN, AUTH_TOKEN = "p3Zk8vQm1xTfR7bYc0sLwA", "9d3f0b7c51ae48626cb1e0f4a97d2358"


@dataclass
class GatewayProcess:
    """One gateway process."""

    pid: int
    port: int
    launcher: "GatewayLauncher" = field(repr=False)
    exit_status: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_for_exit(self) -> int:
        """Wait for the end of the process; return its exit status, negative for a signal."""
        if self.exit_status is None:
            self.exit_status = self.launcher.send_command({"wait": self.pid})
        return self.exit_status

    def kill(self) -> None:
        """Send SIGKILL; a process that has ended already is no error."""
        if self.exit_status is None:
            self.send_signal(signal.SIGKILL)
            self.wait_for_exit()

    def is_stopped(self) -> bool:
        """Return whether the process has stopped itself (SIGSTOP)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class GatewayLauncher:
    """Starts gateway processes through the fork server; all of them end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "gateways.log"
        self.gateways: list[GatewayProcess] = []
        with (folder / "nursery.log").open("wb") as errors:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "tests.support.faults.fork_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=Path(__file__).parents[3],
            )
        assert self._read_line() == "ready", (folder / "nursery.log").read_text()

    def send_command(self, command: dict[str, Any]) -> int:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{json.dumps(command)}\n")
        self.child.stdin.flush()
        return int(self._read_line())

    def start_gateway(
        self, role: str, settings: dict[str, Any], point: str = "", ahead_seconds: float = 0.0
    ) -> GatewayProcess:
        """Start a process on its settings' port, or a free one, and return at once; its clock may be ahead."""
        port = settings.get("port") or free_port()
        told = {"internal_port": 0, "host": "127.0.0.1"} | settings | {"port": port}
        command = {"start": role, "settings": told, "point": point, "ahead": ahead_seconds}
        pid = self.send_command(command | {"log": str(self.log)})
        self.gateways.append(GatewayProcess(pid, port, self))
        return self.gateways[-1]

    async def wait_until_ended(self, gateway: GatewayProcess) -> int:
        """Return the exit status of a process once it has ended; other work goes on meanwhile."""
        ended, watched = asyncio.Event(), os.pidfd_open(gateway.pid)
        asyncio.get_running_loop().add_reader(watched, ended.set)
        try:
            await ended.wait()
        finally:
            asyncio.get_running_loop().remove_reader(watched)
            os.close(watched)
        return gateway.wait_for_exit()

    def close(self) -> None:
        for gateway in self.gateways:
            with contextlib.suppress(ProcessLookupError):
                gateway.kill()
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()

    def _read_line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()


@contextlib.contextmanager
def run_launcher() -> Iterator[GatewayLauncher]:
    """Run a launcher for the duration of the block."""
    folder = Path(tempfile.mkdtemp(prefix="dialtree-faults-"))
    made = GatewayLauncher(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def gateway_settings(
    database_url: str, provider_url: str, redis_url: str = "", *, deduplicates: bool = True, **more: Any
) -> dict[str, Any]:
    """Return Orange România's settings with our fake Twilio; `deduplicates`: it recognises repeated keys."""
    twilio = {
        "account_sid": "AC0",
        "auth_token": AUTH_TOKEN,
        "sender": "+40700000477",
        "api_url": provider_url,
        "deduplicates": deduplicates,
    }
    at = {"username": "sandbox", "api_key": "k", "hook_token": HOOK_TOKEN, "api_url": provider_url}
    operator = {"routes": {"sms": "twilio"}, "twilio": twilio, "africastalking": at}
    return {
        "public_url": "https://gw.example.net",
        "secret_key": SECRET,
        "database_url": database_url,
        "redis_url": redis_url,
        "red_seconds": 0,
        "redis_seconds": 1.0,  # a shared machine pauses for 100 ms now and then
        "turns_per_minute": 6000,
        "operators": {"orange-ro": operator},
        **more,
    }


def wait_until_stopped(gateway: GatewayProcess) -> None:
    """Wait until a gateway has stopped itself."""
    wait_until(gateway.is_stopped, 20, "the gateway stopped itself")
