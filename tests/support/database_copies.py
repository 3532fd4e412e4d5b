"""Copies of a template database, made and dropped over one connection for all tests of a process."""

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import asyncpg

from tests.support.server_processes import PostgresServer

CONNECTION_ENDED = (
    asyncpg.AdminShutdownError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    OSError,
)


class DatabaseCopies:
    """Makes copies of one template; to connect anew for each would take as long as to copy."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self.server, self.template = server, template
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1, "database-copies")
        self._connection: asyncpg.Connection | None = None

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Provide the URL of a copy, and drop it at the end of the block."""
        name = f"t{uuid.uuid4().hex}"
        # copying files costs two thirds of the processor time of the default, which logs each page
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}" STRATEGY FILE_COPY')
        yield self.server.url_of(name)
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._thread.submit(self._close_blocking).result()
        self._thread.shutdown()

    def _execute(self, statement: str) -> None:
        """Execute a statement in the thread, where no test's loop is running."""
        self._thread.submit(lambda: self._loop.run_until_complete(self._tell(statement))).result()

    async def _tell(self, statement: str) -> None:
        """Execute a statement over the connection, or over a new one where a test has ended all connections."""
        if self._connection:
            with suppress(*CONNECTION_ENDED):
                await self._connection.execute(statement)
                return
        self._connection = await asyncpg.connect(self.server.url)
        await self._connection.execute(statement)

    def _close_blocking(self) -> None:
        if self._connection:
            self._loop.run_until_complete(self._connection.close())
        self._loop.close()
