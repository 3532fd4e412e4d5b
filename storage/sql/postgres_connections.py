"""PostgreSQL connections: opened with timeouts, direct or through a transaction pooler (PgBouncer)."""

import asyncio
from typing import Any
from weakref import WeakSet

import asyncpg
from asyncpg import InterfaceError, InternalClientError, PostgresError
from asyncpg.exceptions import ProtocolViolationError
from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.driver_frames import drop_frames
from storage.sql.driver_errors import is_read_only
from storage.sql.postgres_url import PostgresTarget

DRIVER_EXCEPTIONS = (PostgresError, InterfaceError, InternalClientError)
"""What asyncpg raises of its own: the server's errors, a connection that cannot be used, a broken exchange."""
POOL_SIZE = 10
POOL_TIMEOUT_SECONDS = 0.2
"""How long a job waits for a free connection; then it raises Overloaded."""
TIMEOUT_SETTINGS = {
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
}
"""Session settings in milliseconds, enforced by the server when a client hangs."""
SET_LOCAL_TIMEOUTS = text(
    "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in TIMEOUT_SETTINGS.items())
)
"""Sets the same timeouts for one transaction, behind a pooler that shares its connections."""
_IGNORED_SETTINGS_STATE = "DT001"
_CHECK_SETTINGS = f"""
DO $$ BEGIN
    IF current_setting('statement_timeout') <> '5s' THEN
        RAISE EXCEPTION 'startup parameters were ignored' USING ERRCODE = '{_IGNORED_SETTINGS_STATE}';
    END IF;
END $$
"""


class PoolerDetected(Exception):  # noqa: N818 - a signal to connect otherwise, no error
    """Raised when a connection leads to a pooler that refuses or ignores session settings."""


class ConnectionOpener:
    """Opens the connections of one database and knows all that are open."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target
        self._connections: WeakSet[Any] = WeakSet()
        self.is_pooled = False
        """Whether a transaction pooler stands between: no session state, no named statements."""

    async def open_connection(self, **_: Any) -> Any:
        """Open a connection; PoolerDetected, at the first one, when session settings do not get through."""
        if self.is_pooled:
            return await self._connect({}, statement_cache_size=0)
        try:
            connection = await self._connect(TIMEOUT_SETTINGS)
            await connection.execute(_CHECK_SETTINGS)
        except ProtocolViolationError as error:
            if "startup parameter" not in str(error):
                raise
            self.is_pooled = True
            raise PoolerDetected from error
        except PostgresError as error:
            if error.sqlstate != _IGNORED_SETTINGS_STATE:
                raise
            connection.terminate()
            self.is_pooled = True
            raise PoolerDetected from error
        return connection

    async def close_connections(self, seconds: float) -> None:
        """Close all connections at once, each within `seconds`."""
        await asyncio.gather(*(_close_connection(each, seconds) for each in list(self._connections)))

    async def _connect(self, settings: dict[str, str], **options: Any) -> Any:
        target = self._target
        settings = {"application_name": target.application_name, **settings}
        if target.session_options:
            settings["options"] = target.session_options
        if target.tls is not None:
            options["ssl"] = target.tls
        try:
            connection = await asyncpg.connect(
                target.dsn, timeout=target.connect_seconds, server_settings=settings, **options
            )
        except BaseException as error:
            raise drop_frames(error)  # noqa: B904 - the same exception
        self._connections.add(connection)
        return connection


async def _close_connection(connection: Any, seconds: float) -> None:
    try:
        await connection.close(timeout=seconds)
    except (*DRIVER_EXCEPTIONS, OSError, TimeoutError):
        connection.terminate()


def build_engine(opener: ConnectionOpener) -> AsyncEngine:
    """Return an engine over the opener's connections.

    Behind a pooler statements are unnamed and not cached: the next transaction may have another server.
    """
    arguments: dict[str, Any] = {"async_creator_fn": opener.open_connection}
    if opener.is_pooled:
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )
    event.listen(engine.sync_engine, "handle_error", _drop_unusable_connections)
    return engine


def _drop_unusable_connections(context: ExceptionContext) -> None:
    """Treat a server that became read-only as gone: the next connection leads to the new primary.

    So is one whose last message was half read when the session ended: asyncpg raises InternalClientError.
    """
    error = context.original_exception
    is_broken = isinstance(error, InternalClientError) or isinstance(error.__cause__, InternalClientError)
    if is_broken or is_read_only(error):
        context.is_disconnect = True
