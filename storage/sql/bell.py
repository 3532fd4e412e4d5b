"""A bell: rung when something was put into the outbox, heard by the workers of this process."""

import asyncio


class Bell:
    """Wakes every waiter of its event loop; a ring nobody waits for is kept for the next one."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Called after the commit, on the event loop's thread."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return at the first ring, at the latest after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()
