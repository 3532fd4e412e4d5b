"""Process supervisor: several web processes on one port, restarted with exponential back-off."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

log = logging.getLogger("dialtree.server")
EXIT_UNUSABLE = 2
"""Exit status of a process with unusable settings; a restart would not help."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
"""Back-off in seconds before a restart: doubled after each short run, up to the longest."""
STABLE_SECONDS = 30.0
DRAIN_SECONDS = 75.0
"""Time the processes have to drain: up to 60 s of failed readiness, and the turns under way."""


@dataclass(slots=True)
class Supervisor:
    """Keeps `process_count` processes alive; `command_for(i)` is the command line of process `i`."""

    process_count: int
    command_for: Callable[[int], Sequence[str]]
    stop_event: asyncio.Event = field(default_factory=asyncio.Event)
    exit_status: int = 0
    processes: dict[int, asyncio.subprocess.Process] = field(default_factory=dict, repr=False)

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, stop all processes and return the exit status."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stop_event.set)
        tasks = [asyncio.create_task(self._keep_running(number)) for number in range(self.process_count)]
        await self.stop_event.wait()
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.terminate()
        await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*tasks)
        return self.exit_status

    async def _keep_running(self, number: int) -> None:
        wait, loop = 0.0, asyncio.get_running_loop()
        while not self.stop_event.is_set():
            start = loop.time()
            status = await self._run_process(number)
            if status == EXIT_UNUSABLE:
                self.exit_status = status
                self.stop_event.set()
            if self.stop_event.is_set():
                return
            log.error("server.process_exited", extra={"row": number, "status": status})
            wait = restart_wait_seconds(wait, loop.time() - start)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop_event.wait(), wait)

    async def _run_process(self, number: int) -> int:
        """Run a process once and return its status. It holds a pipe and ends if we are killed."""
        process = await asyncio.create_subprocess_exec(*self.command_for(number), stdin=asyncio.subprocess.PIPE)
        self.processes[number] = process
        if self.stop_event.is_set():
            process.terminate()
        try:
            return await process.wait()
        finally:
            del self.processes[number]


def restart_wait_seconds(previous_wait: float, ran_seconds: float) -> float:
    """Return the back-off before a restart, given the one before the run that ended; 0 before the first run."""
    if ran_seconds > STABLE_SECONDS:
        return FIRST_WAIT_SECONDS
    return min(max(previous_wait * 2, FIRST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def member_command(number: int, *, deliver: bool, links: bool = False, watch: bool = False) -> Sequence[str]:
    """Return the command line of one process of a group."""
    start = [sys.executable, "-m", "gateway", "serve", "--member", str(number)]
    start += ["--watch"] if watch else []
    start += ["--links"] if links else []
    return [*start, "--deliver"] if deliver else start
