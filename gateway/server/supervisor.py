"""Process supervisor: several web processes on one port, restarted with exponential back-off."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

log = logging.getLogger("dialtree.server")
UNUSABLE = 2
"""Exit status of a process with unusable settings; a restart would not help."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Back-off in seconds before a restart: doubled after each short run, up to the longest."""
YOUNG_SECONDS = 30.0
GRACE_SECONDS = 75.0
"""Time the processes have to drain: up to 60 s of failed readiness, and the turns under way."""


@dataclass(slots=True)
class Supervisor:
    """Keeps `process_count` processes alive; `command_for(i)` is the command line of process `i`."""

    count: int
    command: Callable[[int], Sequence[str]]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    children: dict[int, asyncio.subprocess.Process] = field(default_factory=dict, repr=False)

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, stop all processes and return the exit status."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stopping.set)
        tasks = [asyncio.create_task(self._keep(number)) for number in range(self.count)]
        await self.stopping.wait()
        for process in self.children.values():
            with suppress(ProcessLookupError):
                process.terminate()
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for process in self.children.values():
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*tasks)
        return self.status

    async def _keep(self, number: int) -> None:
        wait, loop = FIRST_WAIT, asyncio.get_running_loop()
        while not self.stopping.is_set():
            start = loop.time()
            status = await self._lived(number)
            if status == UNUSABLE:
                self.status = status
                self.stopping.set()
            if self.stopping.is_set():
                return
            log.error("server.process_exited", extra={"row": number, "status": status})
            wait = FIRST_WAIT if loop.time() - start > YOUNG_SECONDS else min(wait * 2, LONGEST_WAIT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait)

    async def _lived(self, number: int) -> int:
        """Run a process once and return its status. It holds a pipe and ends if we are killed."""
        process = await asyncio.create_subprocess_exec(*self.command(number), stdin=asyncio.subprocess.PIPE)
        self.children[number] = process
        if self.stopping.is_set():
            process.terminate()
        try:
            return await process.wait()
        finally:
            del self.children[number]


def member_command(number: int, *, deliver: bool, watch: bool = False) -> Sequence[str]:
    """Return the command line of one process of a group."""
    start = [sys.executable, "-m", "gateway", "serve", "--member", str(number)]
    start += ["--watch"] if watch else []
    return [*start, "--deliver"] if deliver else start
