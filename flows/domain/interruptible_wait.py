"""Interruptible wait: wait for something until it is over or a stop is asked for."""

import asyncio
from collections.abc import Awaitable


async def wait_or_stop(rest: Awaitable[object], stop: asyncio.Event) -> None:
    """Return when `rest` is over or `stop` is set; what is not over is cancelled, and its errors dropped."""
    waiting = asyncio.ensure_future(rest)
    stopping = asyncio.create_task(stop.wait())
    _, pending = await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
