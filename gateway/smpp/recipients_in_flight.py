"""Submits under way by recipient, so that a receipt which overtakes the response can wait for it."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class RecipientsInFlight:
    """Counts the submits under way, altogether and by recipient."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waiters: dict[str, asyncio.Event] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.count = 0

    @contextmanager
    def track(self, number: str) -> Iterator[None]:
        """Count a submit to this number for the duration of the block."""
        key = _digits_of(number)
        self._counts[key] += 1
        self.count += 1
        self._emptied.clear()
        try:
            yield
        finally:
            self._end(key)

    def _end(self, key: str) -> None:
        self.count -= 1
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
            waiter = self._waiters.pop(key, None)
            if waiter is not None:
                waiter.set()
        if not self.count:
            self._emptied.set()

    async def wait_for(self, number: str) -> None:
        """Wait until no submit to this number is under way; at once when none is."""
        key = _digits_of(number)
        if key in self._counts:
            await self._waiters.setdefault(key, asyncio.Event()).wait()

    async def wait_until_empty(self) -> None:
        """Wait until no submit is under way."""
        await self._emptied.wait()


def _digits_of(number: str) -> str:
    """Return the number as both directions write it: without plus and leading zeros."""
    return number.lstrip("+0")
