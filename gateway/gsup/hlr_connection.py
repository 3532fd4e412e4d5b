"""One connection to osmo-hlr: identity, pings both ways, messages of USSD sessions."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from gateway.gsup.gsup_message import GsupMessage, MalformedGsup, decode_gsup, encode_gsup, is_ussd_message
from gateway.gsup.hlr_settings import GsupCounters, HlrRuntime, HlrSettings
from gateway.gsup.ipa_frames import (
    CCM_STREAM,
    GSUP_EXTENSION,
    OSMO_STREAM,
    CcmType,
    IpaFrame,
    encode_ccm,
    encode_frame,
    encode_identity,
    read_frame,
)

log = logging.getLogger("dialtree.gsup")
IDLE = "idle"
"""Reason of a connection that was given nothing for `idle_seconds`."""


class HlrConnection:
    """A connection from the TCP handshake to its end; a broken one is not used again.

    `on_message` is called for every message of a USSD session; it must not block.
    """

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        settings: HlrSettings,
        runtime: HlrRuntime,
        counters: GsupCounters,
        on_message: Callable[[GsupMessage], None],
    ) -> None:
        self._reader, self._writer = streams
        self._settings, self._runtime, self._counters = settings, runtime, counters
        self._on_message = on_message
        self._used_at = runtime.monotonic()
        """When the HLR last gave us a session's message, or the connection began."""
        self._answered = asyncio.Event()
        """Set by every frame that arrives: the HLR is there."""

    async def identify(self) -> None:
        """Return when the HLR has asked who we are and got our name; IncompleteReadError when it never does."""
        while not self._take_frame(await read_frame(self._reader)):
            pass

    async def serve(self) -> str:
        """Read until the connection ends or the HLR no longer answers pings; return the reason."""
        reading = asyncio.create_task(self._read_frames())
        pinging = asyncio.create_task(self._keep_alive())
        try:
            done, _ = await asyncio.wait({reading, pinging}, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in (reading, pinging):
                task.cancel()
            await asyncio.gather(reading, pinging, return_exceptions=True)

    async def _read_frames(self) -> str:
        try:
            while True:
                self._take_frame(await read_frame(self._reader))
        except asyncio.IncompleteReadError as end:
            return "cut_in_a_frame" if end.partial else "closed_by_peer"
        except OSError:
            return "lost"

    async def _keep_alive(self) -> str:
        """Ping after each silence; return when a ping stays without any answer, or nothing was asked of us.

        osmo-hlr keeps a name with the connection that came first, even one that is dead: only a connection
        opened later than that one's end is used.
        """
        while True:
            if self._runtime.monotonic() - self._used_at > self._settings.idle_seconds:
                return IDLE
            silence = self._runtime.monotonic() - self._counters.last_frame_at
            wait = self._settings.ping_seconds - silence
            if wait > 0:
                await self._runtime.sleep(wait)
                continue
            self._answered.clear()
            self._write(encode_ccm(CcmType.PING))
            try:
                async with asyncio.timeout(self._settings.answer_seconds):
                    await self._answered.wait()
            except TimeoutError:
                return "ping_unanswered"

    def _take_frame(self, frame: IpaFrame) -> bool:
        """Take a frame; return whether it asked for our identity, after which we are known to the HLR."""
        self._counters.last_frame_at = self._runtime.monotonic()
        self._answered.set()
        if frame.stream == CCM_STREAM:
            return self._take_ccm(frame.payload[:1])
        if frame.stream == OSMO_STREAM and frame.payload[:1] == bytes([GSUP_EXTENSION]):
            self._take_gsup(frame.payload[1:])
        return False

    def _take_ccm(self, kind: bytes) -> bool:
        if kind == bytes([CcmType.PING]):
            self._write(encode_ccm(CcmType.PONG))
        if kind == bytes([CcmType.IDENTITY_REQUEST]):
            self._write(encode_identity(self._settings.full_name))
            return True
        return False

    def _take_gsup(self, octets: bytes) -> None:
        """Give out a message of a USSD session; location management is nothing of ours."""
        if not is_ussd_message(octets):
            return
        self._counters.received += 1
        self._used_at = self._runtime.monotonic()
        try:
            message = decode_gsup(octets)
        except MalformedGsup as fault:
            self._counters.malformed += 1
            extra = {"operator": self._settings.operator, "failure": str(fault)}
            log.warning("gsup.message_malformed", extra=extra)
            return
        self._on_message(message)

    def send(self, message: GsupMessage) -> bool:
        """Write a message; False when the connection is gone."""
        return self._write(encode_frame(OSMO_STREAM, bytes([GSUP_EXTENSION]) + encode_gsup(message)))

    def _write(self, data: bytes) -> bool:
        if self._writer.is_closing():
            return False
        self._writer.write(data)
        return True

    async def close(self) -> None:
        """Close; what is written already still goes out."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._settings.answer_seconds):
                await self._writer.wait_closed()


async def connect_hlr(
    settings: HlrSettings,
    runtime: HlrRuntime,
    counters: GsupCounters,
    on_message: Callable[[GsupMessage], None],
) -> HlrConnection:
    """Connect and say who we are; OSError, TimeoutError, IncompleteReadError when that does not work."""
    async with asyncio.timeout(settings.answer_seconds):
        streams = await asyncio.open_connection(settings.host, settings.port)
        connection = HlrConnection(streams, settings, runtime, counters, on_message)
        try:
            await connection.identify()
        except BaseException:
            await connection.close()
            raise
        return connection
