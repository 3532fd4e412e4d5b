"""ARI event stream: one WebSocket under our application's name, connected again by itself."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from gateway.asterisk.ari_client import REFUSED_STATUSES, AriAccount
from gateway.asterisk.ari_events import ApplicationReplaced, AriEvent, parse_event
from gateway.reconnect_wait import next_wait

log = logging.getLogger("dialtree.asterisk")
HEARTBEAT_SECONDS = 10.0
"""Interval of pings; a connection that answers none for half of it is closed."""
MAX_EVENT_OCTETS = 256 * 1024
StreamState = Literal["up", "down", "refused"]
"""`refused`: Asterisk rejects our password, or another connection has our application's name."""


@dataclass(frozen=True, slots=True)
class StreamRuntime:
    """Clock and randomness of a stream, replaced by tests."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fraction: Callable[[], float] = random.random
    """Between 0 and 1: spreads the reconnects of many processes."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What one stream connects to."""

    account: AriAccount
    application: str
    """Name Asterisk sends calls to; a second connection under it silences the first."""
    operator: str
    """Named in logs."""
    longest_wait_seconds: float = 30.0
    connect_seconds: float = 5.0
    heartbeat_seconds: float = HEARTBEAT_SECONDS


@dataclass(slots=True)
class EventStream:
    """Receives events until cancelled or closed."""

    settings: StreamSettings
    http: ClientSession = field(repr=False)
    on_event: Callable[[AriEvent], None] = field(repr=False)
    """Called with each event, in order; must not block."""
    on_connected: Callable[[], None] = field(repr=False)
    """Called after each connect: events may have been missed before it."""
    runtime: StreamRuntime = field(default_factory=StreamRuntime, repr=False)
    state: StreamState = "down"
    last_heard_at: float = 0.0
    """In seconds of the monotonic clock; 0 for never."""

    async def run(self) -> None:
        """Stay connected, with jittered back-off between attempts, until cancelled."""
        failures = 0
        try:
            while True:
                was_up = await self._run_once()
                failures = 0 if was_up else failures + 1
                refused, longest = self.state == "refused", self.settings.longest_wait_seconds
                await self.runtime.sleep(next_wait(failures, refused, self.runtime.fraction(), longest))
        finally:
            self.state = "down"

    async def _run_once(self) -> bool:
        """Connect and read until the connection ends; return whether it was made."""
        try:
            async with asyncio.timeout(self.settings.connect_seconds):
                socket = await self._connect()
        except WSServerHandshakeError as error:
            self._note_refusal(error.status)
            return False
        except (ClientError, OSError, TimeoutError) as error:
            log.warning("asterisk.connect_failed", extra={**self._where, "failure": type(error).__name__})
            self.state = "down"
            return False
        try:
            await self._read_events(socket)
        finally:
            await socket.close()
        return True

    def _connect(self) -> Awaitable[ClientWebSocketResponse]:
        settings = self.settings
        return self.http.ws_connect(
            f"{settings.account.url}/ari/events",
            params={"app": settings.application},
            headers=settings.account.headers,
            heartbeat=settings.heartbeat_seconds,
            max_msg_size=MAX_EVENT_OCTETS,
        )

    async def _read_events(self, socket: ClientWebSocketResponse) -> None:
        """Pass events on until the socket ends, or another connection has taken our name."""
        self.state, self.last_heard_at = "up", self.runtime.monotonic()
        log.info("asterisk.connected", extra=self._where)
        self.on_connected()
        async for message in socket:
            self.last_heard_at = self.runtime.monotonic()
            event = parse_event(message.data) if message.type is WSMsgType.TEXT else None
            if isinstance(event, ApplicationReplaced):
                log.error("asterisk.application_replaced", extra=self._where)
                self.state = "refused"
                return
            if event is not None:
                self.on_event(event)
        self.state = "down"
        log.warning("asterisk.connection_ended", extra=self._where)

    def _note_refusal(self, status: int) -> None:
        self.state = "refused" if status in REFUSED_STATUSES else "down"
        log.error("asterisk.connect_refused", extra={**self._where, "status": status})

    @property
    def _where(self) -> dict[str, str]:
        return {"operator": self.settings.operator, "what": self.settings.application}
