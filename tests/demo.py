"""The demo as `make demo` starts it, in a folder of its own: a process, its phones, its bill page."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.services import until

DIALTREE = ".venv/bin/dialtree"
CODE = re.compile(r"(?:cod|code)\D{1,40}(\d{6})\b")


@dataclass(frozen=True)
class Demo:
    """A demo that serves."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """What it printed so far."""
        return (self.folder / "out").read_text()

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PORT": str(self.port)}

    def dial(self, address: str, caller: str, *keys: str) -> str:
        """What the terminal phone prints when somebody dials and types."""
        typed = "".join(f"{key}\n" for key in keys)
        return self.run("dial", address, "--operator", "orange-ro", "--from", caller, typed=typed).stdout

    def run(self, *words: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """A command in the demo's folder, which must end well."""
        command = [DIALTREE, *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, input=typed, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done

    def code(self, address: str, caller: str, *keys: str) -> str:
        """The code that asking on a channel brings: to this phone, or to the demo's own terminal."""
        before = len(self.said)
        return self.told(before, self.dial(address, caller, *keys))

    def told(self, before: int, shown: str = "") -> str:
        """The code in what is shown, or in what the demo prints after so much of its output."""
        until(lambda: CODE.search(shown + self.said[before:]) is not None, 10, "the code arrives")
        found = CODE.search(shown + self.said[before:])
        assert found
        return found[1]


@contextmanager
def demonstrating(folder: Path, *arguments: str, environment: Path = Path(sys.prefix)) -> Iterator[Demo]:
    """Serve it for as long as the block runs, by what is installed in a virtual environment."""
    (folder / ".venv").symlink_to(environment)
    (folder / "dialtree.toml").write_text('trusted_proxies = ["127.0.0.1"]\n')  # visitors from anywhere
    demo = Demo(folder, free_port())
    with (folder / "out").open("wb") as out:
        child = subprocess.Popen(
            [DIALTREE, "demo", *arguments], cwd=folder, env=demo.environ, stdout=out, stderr=out
        )
        try:
            until(lambda: "Stop with Ctrl-C" in demo.said, 60, "the demo serves")
            yield demo
        finally:
            child.terminate()
            assert child.wait(15) == 0
