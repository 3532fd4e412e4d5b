"""The supervisor: several web processes on one port, each started again when it ends by itself."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

log = logging.getLogger("dialtree.server")
UNUSABLE = 2
"""The status of a process whose settings cannot be used: starting it again changes nothing."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a process that ended is started again; doubled each time it ends young."""
YOUNG_SECONDS = 30.0
GRACE_SECONDS = 75.0
"""What the processes may take to drain: a red minute, turns under way, and a little more."""


@dataclass(slots=True)
class Supervisor:
    """Keeps `count` processes alive. `command` is what process number `i` is started with."""

    count: int
    command: Callable[[int], Sequence[str]]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    children: dict[int, asyncio.subprocess.Process] = field(default_factory=dict, repr=False)

    async def run(self) -> int:
        """Until SIGTERM or SIGINT, which every process is told; the exit status."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stopping.set)
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self.count)]
        await self.stopping.wait()
        for child in self.children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        await asyncio.wait(keepers, timeout=GRACE_SECONDS)
        for child in self.children.values():
            with suppress(ProcessLookupError):
                child.kill()
        await asyncio.gather(*keepers)
        return self.status

    async def _keep(self, number: int) -> None:
        wait, loop = FIRST_WAIT, asyncio.get_running_loop()
        while not self.stopping.is_set():
            began = loop.time()
            status = await self._lived(number)
            if status == UNUSABLE:
                self.status = status
                self.stopping.set()
            if self.stopping.is_set():
                return
            log.error("process ended", extra={"row": number, "status": status})
            wait = FIRST_WAIT if loop.time() - began > YOUNG_SECONDS else min(wait * 2, LONGEST_WAIT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait)

    async def _lived(self, number: int) -> int:
        """One life of a process. It holds the other end of a pipe: when we are killed, it ends too."""
        child = await asyncio.create_subprocess_exec(*self.command(number), stdin=asyncio.subprocess.PIPE)
        self.children[number] = child
        if self.stopping.is_set():
            child.terminate()
        try:
            return await child.wait()
        finally:
            del self.children[number]


def member_command(number: int, *, deliver: bool, watch: bool = False) -> Sequence[str]:
    """How a process of a group is started."""
    start = [sys.executable, "-m", "gateway", "serve", "--member", str(number)]
    start += ["--watch"] if watch else []
    return [*start, "--deliver"] if deliver else start
