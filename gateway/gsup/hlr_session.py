"""HLR session: stays connected to osmo-hlr under one name, and writes to whichever connection is up."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from gateway.gsup.gsup_message import GsupMessage
from gateway.gsup.hlr_connection import IDLE, HlrConnection, connect_hlr
from gateway.gsup.hlr_settings import GsupCounters, HlrRuntime, HlrSettings
from gateway.reconnect_wait import next_wait

log = logging.getLogger("dialtree.gsup")
SYSTEM_CLOCK = HlrRuntime()


class HlrSession:
    """Keeps one connection up; osmo-hlr gives each name one, and tells a second nothing."""

    def __init__(
        self,
        settings: HlrSettings,
        on_message: Callable[[GsupMessage], None],
        runtime: HlrRuntime = SYSTEM_CLOCK,
    ) -> None:
        self.settings, self._on_message, self._runtime = settings, on_message, runtime
        self._where = {"operator": settings.operator}
        self.counters = GsupCounters()
        self._connection: HlrConnection | None = None
        self._up = asyncio.Event()

    @property
    def state(self) -> Literal["up", "down"]:
        """Whether the HLR knows us now."""
        return "up" if self._up.is_set() else "down"

    async def run(self) -> None:
        """Connect and stay connected, with jittered back-off, until cancelled; then the link is closed."""
        failures = 0
        while True:
            reason = await self._run_once()
            failures = 0 if reason else failures + 1
            if reason != IDLE:
                await self._runtime.sleep(self._wait_seconds(failures))

    def _wait_seconds(self, failures: int) -> float:
        fraction, longest = self._runtime.fraction(), self.settings.longest_wait_seconds
        return next_wait(failures, wrong_credentials=False, fraction=fraction, longest_seconds=longest)

    async def _run_once(self) -> str:
        """Connect and stay until the connection ends; return why it ended, empty when there was none."""
        try:
            connection = await connect_hlr(self.settings, self._runtime, self.counters, self._on_message)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
            log.warning("gsup.connect_failed", extra={**self._where, "failure": type(failure).__name__})
            return ""
        try:
            return await self._stay_connected(connection)
        finally:
            await connection.close()

    async def _stay_connected(self, connection: HlrConnection) -> str:
        self.counters.connections += 1
        self._connection = connection
        self._up.set()
        log.info("gsup.connected", extra=self._where)
        try:
            reason = await connection.serve()
        finally:
            self._connection = None
            self._up.clear()
        if reason != IDLE:
            log.warning("gsup.connection_ended", extra={**self._where, "reason": reason})
        return reason

    async def wait_until_up(self) -> None:
        """Return when the HLR knows us."""
        await self._up.wait()

    async def send(self, message: GsupMessage, wait_seconds: float) -> bool:
        """Write a message, after a broken connection to the next one; False when none came up in time.

        A session outlives the connection in the HLR: whichever connection has our name may answer.
        """
        try:
            async with asyncio.timeout(wait_seconds):
                await self._up.wait()
        except TimeoutError:
            return False
        return self._connection is not None and self._connection.send(message)
