"""A bell: rung when something was put into the outbox, heard by the workers of this process and of others."""

import asyncio

from sqlalchemy import Connection, text

CHANNEL = "dialtree_outbox"
"""Where PostgreSQL passes a ring on to other processes."""
TOLL = text(f"SELECT pg_notify('{CHANNEL}', '')")


def toll(connection: Connection) -> None:
    """Ring in the other processes, too, at this transaction's commit: once, however often it is asked for.

    PostgreSQL only. It says nothing but that there is something: the table is the truth, and polled.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(TOLL)


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
