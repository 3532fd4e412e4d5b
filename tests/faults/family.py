"""Gateway processes under test on real stores, killed and stopped at will."""

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

from tests.ports import free_port
from tests.services import until

SECRET = "a secret for the fault tests, nowhere else"


@dataclass
class Gateway:
    """One gateway process."""

    pid: int
    port: int
    nursery: "Nursery" = field(repr=False)
    status: int | None = None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Wait for the end of the process; return its exit status, negative for a signal."""
        if self.status is None:
            self.status = self.nursery.ask({"wait": self.pid})
        return self.status

    def kill(self) -> None:
        """Send SIGKILL; a process that has ended already is no error."""
        if self.status is None:
            self.signal(signal.SIGKILL)
            self.ended()

    def stopped(self) -> bool:
        """Return whether the process has stopped itself (SIGSTOP)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Nursery:
    """Starts gateway processes through the fork server; all of them end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "gateways.log"
        self.gateways: list[Gateway] = []
        with (folder / "nursery.log").open("wb") as errors:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        assert self._line() == "ready", (folder / "nursery.log").read_text()

    def ask(self, command: dict[str, Any]) -> int:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{json.dumps(command)}\n")
        self.child.stdin.flush()
        return int(self._line())

    def start(self, role: str, settings: dict[str, Any], point: str = "") -> Gateway:
        """Start a process and return at once."""
        port = free_port()
        told = {"internal_port": 0, "host": "127.0.0.1"} | settings | {"port": port}
        pid = self.ask({"start": role, "settings": told, "point": point, "log": str(self.log)})
        self.gateways.append(Gateway(pid, port, self))
        return self.gateways[-1]

    def close(self) -> None:
        for gateway in self.gateways:
            with contextlib.suppress(ProcessLookupError):
                gateway.kill()
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()

    def _line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Run a launcher for the duration of the block."""
    folder = Path(tempfile.mkdtemp(prefix="dialtree-faults-"))
    made = Nursery(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def settings(
    database_url: str, provider_url: str, redis_url: str = "", *, capable: bool = True, **more: Any
) -> dict[str, Any]:
    """Return Orange România's settings with our fake Twilio; `deduplicates`: it recognises repeated keys."""
    twilio = {
        "account_sid": "AC0",
        "auth_token": "fault-token",
        "sender": "+40700000477",
        "api_url": provider_url,
        "deduplicates": capable,
    }
    at = {"username": "sandbox", "api_key": "k", "hook_token": "demo", "api_url": provider_url}
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


def stopped(gateway: Gateway) -> None:
    """Wait until a gateway has stopped itself."""
    until(gateway.stopped, 20, "the gateway stopped itself")
