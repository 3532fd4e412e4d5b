"""The fault-injecting proxy: each toxic does what its name says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.fault_proxy import FaultProxy


async def echo_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(echo_server, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()
    await server.wait_closed()


class ProxyClient:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def exchange(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.readexactly(len(text))


@pytest.fixture
async def caller(proxy: FaultProxy) -> AsyncIterator[ProxyClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield ProxyClient(reader, writer)
    writer.close()


async def test_without_toxics_everything_passes(caller: ProxyClient) -> None:
    assert await caller.exchange(b"x" * 100_000) == b"x" * 100_000


async def test_latency_comes_later(proxy: FaultProxy, caller: ProxyClient) -> None:
    proxy.toxics.latency_ms = 50
    began = asyncio.get_running_loop().time()
    await caller.exchange(b"hello")
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_timeout_holds_back_until_healed(proxy: FaultProxy, caller: ProxyClient) -> None:
    proxy.hold_traffic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await caller.exchange(b"hello")
    proxy.remove_toxics()
    assert await caller.reader.readexactly(5) == b"hello"


async def test_down_cuts_and_refuses_until_up(proxy: FaultProxy, caller: ProxyClient) -> None:
    await caller.exchange(b"hello")
    await proxy.take_down()
    assert await caller.reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.bring_up()
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.close()


async def test_reset_peer_resets(proxy: FaultProxy, caller: ProxyClient) -> None:
    proxy.toxics.reset_peer = True
    with pytest.raises(ConnectionResetError):
        await caller.exchange(b"hello")


async def test_limit_data_closes_after_so_many_bytes(proxy: FaultProxy, caller: ProxyClient) -> None:
    proxy.toxics.limit_bytes = 3
    caller.writer.write(b"hello")
    assert await caller.reader.read() == b"hel"


async def test_slicer_loses_nothing(proxy: FaultProxy, caller: ProxyClient) -> None:
    proxy.toxics.slice_bytes = 1
    assert await caller.exchange(b"hello") == b"hello"
