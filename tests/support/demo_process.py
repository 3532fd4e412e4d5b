"""The demo as `make demo` starts it: a process in its own folder, its terminal phone and bill page."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.free_ports import free_port
from tests.support.server_processes import wait_until

DIALTREE = ".venv/bin/dialtree"
CODE_PATTERN = re.compile(r"(?:cod|code)\D{1,40}(\d{6})\b")


@dataclass(frozen=True)
class DemoProcess:
    """A demo process that serves."""

    folder: Path
    port: int
    smsc_port: int = 2775
    wallet_port: int = 8478

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What the process has printed so far."""
        return (self.folder / "out").read_text()

    @property
    def environment(self) -> dict[str, str]:
        ports = {"PORT": self.port, "SMSC_PORT": self.smsc_port, "WALLET_PORT": self.wallet_port}
        return {**os.environ, **{name: str(port) for name, port in ports.items()}}

    def dial(self, address: str, caller: str, *keys: str) -> str:
        """Dial with the terminal phone, type the keys, and return what it prints."""
        typed = "".join(f"{key}\n" for key in keys)
        return self.run_command(
            "dial", address, "--operator", "orange-ro", "--from", caller, typed=typed
        ).stdout

    def run_command(self, *words: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command in the demo's folder and check that it exits with status 0."""
        command = [DIALTREE, *words]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done

    def request_code(self, address: str, caller: str, *keys: str) -> str:
        """Request a one-time code on a channel; return it from the phone or the demo's output."""
        before = len(self.output)
        return self.read_code(before, self.dial(address, caller, *keys))

    def read_code(self, before: int, shown: str = "") -> str:
        """Return the code in the given screen or in the demo's output after the given offset."""
        wait_until(
            lambda: CODE_PATTERN.search(shown + self.output[before:]) is not None, 10, "the code arrives"
        )
        found = CODE_PATTERN.search(shown + self.output[before:])
        assert found
        return found[1]


@contextmanager
def run_demo(folder: Path, *arguments: str, environment: Path = Path(sys.prefix)) -> Iterator[DemoProcess]:
    """Run the demo installed in a virtual environment, for the duration of the block."""
    (folder / ".venv").symlink_to(environment)
    (folder / "dialtree.toml").write_text('trusted_proxies = ["127.0.0.1"]\n')  # clients from any address
    demo = DemoProcess(folder, free_port(), free_port(), free_port())
    with (folder / "out").open("wb") as out:
        child = subprocess.Popen(
            [DIALTREE, "demo", *arguments], cwd=folder, env=demo.environment, stdout=out, stderr=out
        )
        try:
            wait_until(lambda: "Stop with Ctrl-C" in demo.output, 60, "the demo serves")
            yield demo
        finally:
            child.terminate()
            assert child.wait(15) == 0
