"""A real Asterisk out of a Debian tree, a real SIP phone that calls it, and what the phone heard."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.reach.conftest import FOLDER_VARIABLE

CONFIG = Path(__file__).parent / "asterisk"
START_SECONDS = ANSWER_SECONDS = 60.0
SIP_TARGET = "sip:411@127.0.0.1:15060"
ARI_URL = "http://127.0.0.1:18088"
USER, PASSWORD = "dialtree", "secret-of-tests"
SOUNDS_IN_ASTERISK = "/dialtree/sounds"


def reach_folder() -> Path:
    return Path(os.environ[FOLDER_VARIABLE])


@dataclass(slots=True)
class AsteriskProcess:
    """Asterisk in a chroot of the tree; everything it opens is on loopback."""

    root: Path
    child: subprocess.Popen[bytes] | None = None

    @property
    def sounds(self) -> Path:
        return self.root / "dialtree" / "sounds"

    def prepare(self) -> None:
        """Write configuration and folders into the tree."""
        shutil.rmtree(self.root / "dialtree", ignore_errors=True)
        for name in ("etc", "var", "spool/recording", "run", "log", "sounds"):
            (self.root / "dialtree" / name).mkdir(parents=True)
        for path in CONFIG.glob("*.conf"):
            shutil.copy(path, self.root / "dialtree" / "etc")

    def start(self) -> None:
        """Start in the foreground, as a child of ours."""
        command = ["chroot", str(self.root), "/usr/sbin/asterisk", "-f", "-C", "/dialtree/etc/asterisk.conf"]
        with (self.root / "dialtree" / "log" / "console").open("ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self.child = None


@dataclass(slots=True)
class SipPhone:
    """One call of a SIP phone in a process of its own."""

    process: asyncio.subprocess.Process = field(repr=False)
    recording: Path
    states: list[str] = field(default_factory=list)

    async def wait_for(self, state: str) -> str:
        """Read the states of the call until one begins so; return it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            while not any(each.startswith(state) for each in self.states):
                line = await self.process.stdout.readline()
                assert line, self.states
                self.states.append(line.decode().strip())
        return next(each for each in self.states if each.startswith(state))

    def send(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())

    async def compare(self, prompts: Sequence[Path]) -> list[float]:
        """Return how much of each prompt was heard, once the phone has gone; 1 is all of it."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.process.wait()
        program = Path(__file__).parent / "compare_sound.py"
        command = [str(phone_python()), str(program), str(self.recording), *map(str, prompts)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=120)
        return [float(line) for line in done.stdout.split()]


def phone_python() -> Path:
    return reach_folder() / "phone" / "bin" / "python"


@asynccontextmanager
async def sip_call(recording: Path, caller: str) -> AsyncIterator[SipPhone]:
    """Call 411 with a phone during the block."""
    program, pipe = Path(__file__).parent / "sip_phone.py", asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(phone_python()), str(program), SIP_TARGET, str(recording), caller, stdin=pipe, stdout=pipe
    )
    try:
        yield SipPhone(process, recording)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
