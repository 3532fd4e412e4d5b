"""Fault-injecting TCP proxy with toxiproxy's vocabulary, so that toxiproxy can replace it."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType


@dataclass(slots=True)
class Toxics:
    """The active faults; every field may change while connections are open.

    These are toxiproxy's `downstream` toxics: they act on what the server sends, except `timeout`,
    which stops both directions.
    """

    latency_ms: int = 0
    """Delay of every piece, in milliseconds."""
    jitter_ms: int = 0
    """Upper bound of a random further delay, in milliseconds."""
    timeout: bool = False
    """Nothing passes in either direction; connections stay open."""
    limit_bytes: int | None = None
    """limit_data: close a connection after this many bytes."""
    reset_peer: bool = False
    """Reset the connection (RST) at the next piece from the server."""
    slice_bytes: int = 0
    """slicer: cut into pieces of this many bytes, each sent on its own."""


class FaultProxy:
    """TCP proxy on a free loopback port in front of one server."""

    def __init__(self, port: int, host: str = "127.0.0.1", seed: int = 0) -> None:
        self.upstream = (host, port)
        self.toxics = Toxics()
        self.port = 0
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> "FaultProxy":
        await self.bring_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.take_down()

    async def bring_up(self) -> None:
        """Listen, on the same port as before if it listened already."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def take_down(self) -> None:
        """Refuse new connections and cut the open ones (toxiproxy's `down`)."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for link, writer in self._connections.items():
            link.cancel()
            # A task cancelled before its first step would never close it.
            writer.close()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    def hold_traffic(self) -> None:
        """Hold back all traffic until `remove_toxics` (toxiproxy's `timeout`)."""
        self.toxics.timeout = True
        self._flowing.clear()

    def remove_toxics(self) -> None:
        """Remove every toxic; traffic that was held back continues."""
        self.toxics = Toxics()
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accept a connection; no coroutine: `take_down` must know it before its task first runs."""
        if self._server is None:
            writer.transport.abort()
            return
        link = asyncio.create_task(self._serve_connection(reader, writer))
        self._connections[link] = writer
        link.add_done_callback(self._connections.pop)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._relay(reader, writer)
        finally:
            await _close_writer(writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(*self.upstream)
        pumps = [
            asyncio.create_task(self._pump(reader, ours)),
            asyncio.create_task(self._pump_with_toxics(theirs, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First what needs no waiting: `take_down` may cancel again here.
            ours.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await _close_writer(ours)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for piece in self._read_pieces(reader):
            writer.write(piece)
            await writer.drain()

    async def _pump_with_toxics(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        async for piece in self._read_pieces(reader):
            toxics = self.toxics
            if toxics.reset_peer:
                return _reset_connection(writer)
            await asyncio.sleep((toxics.latency_ms + self._random.uniform(0, toxics.jitter_ms)) / 1000)
            limit = len(piece) if toxics.limit_bytes is None else max(0, toxics.limit_bytes - passed)
            for part in _slice_piece(piece[:limit], toxics.slice_bytes):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            passed += len(piece)
            if limit < len(piece):
                return None
        return None

    async def _read_pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while piece := await reader.read(65536):
            await self._flowing.wait()
            yield piece


def _slice_piece(piece: bytes, size: int) -> list[bytes]:
    if not size:
        return [piece]
    return [piece[start : start + size] for start in range(0, len(piece), size)]


def _reset_connection(writer: asyncio.StreamWriter) -> None:
    """Reset the connection: SO_LINGER of zero makes closing send RST instead of FIN."""
    link = writer.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close_writer(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
