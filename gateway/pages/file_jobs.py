"""Background jobs for files that take longer to build than a page may: collected when ready."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from flows.domain.failures import Overloaded
from gateway.pages.file_builder import BuiltFile

WAIT_SECONDS = 4.0
"""How long a page waits for its file: half of a page's time, the rest is for the code and the link."""
LIFETIME_SECONDS = 300.0
"""A job's whole life: building, and waiting to be collected."""
MAX_JOBS = 32
"""Jobs of one process, ready ones included: each may hold an archive in memory."""
FileJob = asyncio.Task[BuiltFile]


@dataclass(slots=True)
class FileJobs:
    """The jobs of one process.

    A request that reaches another process starts a job there: each goes on beside its requests, so the file is
    ready wherever it is asked for again.
    """

    wait_seconds: float = WAIT_SECONDS
    running: dict[str, FileJob] = field(default_factory=dict, repr=False)

    async def await_file(
        self, key: str, build: Callable[[], Coroutine[None, None, BuiltFile]]
    ) -> BuiltFile | None:
        """Return the file of this key, building it if no job does; None when it is not ready yet.

        Raises what the job raised, and forgets it: the next request starts another. Overloaded for too many.
        """
        job = self.running.get(key) or self._start_job(key, build())
        await asyncio.wait({job}, timeout=self.wait_seconds)
        if not job.done():
            return None
        self.running.pop(key, None)
        return job.result()

    def _start_job(self, key: str, build: Coroutine[None, None, BuiltFile]) -> FileJob:
        if len(self.running) >= MAX_JOBS:
            build.close()
            raise Overloaded("too many files are being built")
        job = self.running[key] = asyncio.create_task(build)
        asyncio.get_running_loop().call_later(LIFETIME_SECONDS, self._end_job, key, job)
        return job

    def _end_job(self, key: str, job: FileJob) -> None:
        """Cancel a job that is not ready, and drop a file that was not collected."""
        job.cancel()
        if self.running.get(key) is job:
            del self.running[key]
        if job.done() and not job.cancelled():
            job.exception()  # marks an error that was not collected as retrieved
