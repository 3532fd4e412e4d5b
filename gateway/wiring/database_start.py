"""Database start: open it, wait until it answers, upgrade its schema, keep the clock in step with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

from flows.domain.failures import Failure, Unavailable
from flows.domain.records import Secret
from gateway.clock import MonotonicClock
from gateway.observability.host_clock import HostClockAlarm
from gateway.observability.logging import log_by_clock
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from storage.demo.demo_marker import claim_demo_database
from storage.outbox.key_check import verify_secret_key
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from storage.sql.readiness import failure_reason
from storage.sql.server_clock import server_time

log = logging.getLogger("dialtree.server")

STARTUP_WAIT_SECONDS, RETRY_SECONDS = 30.0, 0.5
"""Time a start waits for the database, and the pause between two attempts, in seconds."""
CLOCK_SYNC_SECONDS = 60.0
"""Interval of reading the time from the database."""


async def open_database(settings: Settings, now: Callable[[], datetime], stack: AsyncExitStack) -> Database:
    """Open the settings' database, upgraded; the stack closes it.

    Raises Unavailable when it does not answer within STARTUP_WAIT_SECONDS, ForeignDatabaseError when the
    demo is given a database that it did not create, and SettingsError when the database was written with
    another `secret_key`.
    """
    database = _connect_database(settings)
    stack.push_async_callback(database.close)
    await prepare_database(database, is_demo=settings.demo)
    await _verify_secret_key(settings, database)
    if isinstance(now, MonotonicClock):
        await stack.enter_async_context(_synchronise_clock(now, database))
    return database


def _connect_database(settings: Settings) -> Database:
    """Return the database; SettingsError for a URL it cannot use, without repeating it."""
    try:
        return connect(settings.database_url)
    except ValueError as error:
        raise SettingsError(f"database_url: {error}") from None


async def prepare_database(database: Database, *, is_demo: bool = False) -> None:
    """Upgrade the schema, retrying while the database is unreachable: servers start in any order.

    Raises Unavailable after STARTUP_WAIT_SECONDS; a log line says at once why it waits, and how long. The demo
    opens no database but its own: its worker would swallow another's messages.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + STARTUP_WAIT_SECONDS
    while True:
        try:
            if is_demo:
                await claim_demo_database(database)
            return await upgrade_database(database)
        except Unavailable as failure:
            left = until - loop.time()
            if left < 0:
                raise
            reason = f"{failure_reason(failure)}; tried again for {left:.0f} s"
            log.warning(
                "server.database_unreachable", extra={"failure": type(failure).__name__, "reason": reason}
            )
        await asyncio.sleep(RETRY_SECONDS)


async def _verify_secret_key(settings: Settings, database: Database) -> None:
    """Stop the start when the database was written with another `secret_key`."""
    try:
        await verify_secret_key(database, Secret(settings.secret_key.get_secret_value()))
    except ValueError as error:
        raise SettingsError(f"secret_key: {error}") from error


@asynccontextmanager
async def _synchronise_clock(clock: MonotonicClock, database: Database) -> AsyncIterator[None]:
    """Synchronise the clock with the database, so that leases, expiries and log lines agree across processes.

    Log lines carry the database's time from the first reading on; a host whose own clock differs is named.
    """
    alarm = HostClockAlarm(clock)
    await _read_server_clock(clock, database)

    async def synchronise_forever() -> None:
        while True:
            alarm.review_difference()
            await asyncio.sleep(CLOCK_SYNC_SECONDS)
            await _read_server_clock(clock, database)

    with log_by_clock(clock):
        task = asyncio.create_task(synchronise_forever())
        try:
            yield
        finally:
            task.cancel()


async def _read_server_clock(clock: MonotonicClock, database: Database) -> None:
    """Set the clock to the database's time; without an answer it goes on by itself."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    with suppress(Failure):
        instant = await server_time(database)
        clock.synchronise(instant, loop.time() - asked_at)
