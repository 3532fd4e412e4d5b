"""Page pipeline of bulk runs: while a page is worked on, the next is read and the last written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

PageT = TypeVar("PageT")
BuiltT = TypeVar("BuiltT")


async def run_pages(
    pages: AsyncIterator[PageT],
    build: Callable[[PageT], Awaitable[BuiltT]],
    write: Callable[[BuiltT], Awaitable[None]],
    after_page: Callable[[], None],
) -> None:
    """Build and write every page, in order; three pages at most are in memory, however many there are.

    `after_page` is called when a page is built and the one before is written. Raises what reading, building or
    writing raised; a page being written is finished first.
    """
    writing: asyncio.Future[None] | None = None
    try:
        async with aclosing(_prefetch_pages(pages)) as prefetched:
            async for page in prefetched:
                built = await build(page)
                if writing:
                    await writing
                writing = asyncio.ensure_future(write(built))
                after_page()
        if writing:
            await writing
    finally:
        await _finish_task(writing)


async def _prefetch_pages(pages: AsyncIterator[PageT]) -> AsyncGenerator[PageT, None]:
    """Yield the pages, requesting each while the one before is worked on; closed, it requests no more."""
    upcoming = asyncio.ensure_future(anext(pages, None))
    try:
        while (page := await upcoming) is not None:
            upcoming = asyncio.ensure_future(anext(pages, None))
            yield page
    finally:
        upcoming.cancel()
        await _finish_task(upcoming)


async def _finish_task(task: asyncio.Future[Any] | None) -> None:
    """Wait until a task has ended; its exception, if any, was or is raised elsewhere."""
    if task is not None:
        await asyncio.gather(task, return_exceptions=True)
