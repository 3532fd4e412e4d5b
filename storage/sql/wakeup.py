"""Outbox wake-up: wakes workers when a row is enqueued, across processes by LISTEN/NOTIFY."""

import asyncio

from sqlalchemy import Connection, text

NOTIFY_CHANNEL = "dialtree_outbox"
"""PostgreSQL notification channel that carries wake-ups between processes."""
SEND_NOTIFY = text(f"SELECT pg_notify('{NOTIFY_CHANNEL}', '')")


def notify_workers(connection: Connection) -> None:
    """Notify the workers of all processes when this transaction commits (PostgreSQL only).

    PostgreSQL sends one notification a transaction, however often this is called. It has no payload:
    workers read the table, which they also poll.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(SEND_NOTIFY)


class WakeUp:
    """Wake-up signal within one event loop; a signal without a waiter is kept for the next `wait`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake_waiters(self) -> None:
        """Wake every waiter; call it after the commit, on the event loop's thread."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return at the next wake-up, at the latest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
