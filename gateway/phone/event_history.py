"""Events of one handset: streamed to the pages open, numbered and kept for those that come later."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_KEPT_EVENTS = 500
"""Events kept for pages that come later; the oldest are dropped."""
MAX_QUEUED_EVENTS = 600
"""Events queued for a page that reads slowly; the oldest are dropped."""
KEPT_KINDS = frozenset({"exchange", "message", "text", "reply"})
"""Kinds that make up what a page shows of the past; all others only matter to the pages open now."""


@dataclass(frozen=True, slots=True)
class PageEvent:
    """One event for the pages of a handset."""

    kind: str
    what: Any = field(repr=False)
    number: int = 0
    """Position among the kept events, from 1; 0 for an event that is not kept."""


@dataclass(slots=True)
class EventHistory:
    """The kept events of a handset, and the queues of the pages that watch it."""

    kept: deque[PageEvent] = field(default_factory=lambda: deque(maxlen=MAX_KEPT_EVENTS), repr=False)
    queues: set[asyncio.Queue[PageEvent]] = field(default_factory=set, repr=False)
    last_number: int = 0

    def send(self, kind: str, what: Any) -> None:
        """Send an event to every page; a page whose queue is full loses its oldest event."""
        event = PageEvent(kind, what, self._next_number() if kind in KEPT_KINDS else 0)
        if event.number:
            self.kept.append(event)
        for queue in self.queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def subscribe(self, after: int = 0) -> "asyncio.Queue[PageEvent]":
        """Return a new queue that begins with the kept events after a number; end it with `queues.discard`."""
        queue: asyncio.Queue[PageEvent] = asyncio.Queue(MAX_QUEUED_EVENTS)
        for event in self.kept:
            if event.number > after:
                queue.put_nowait(event)
        self.queues.add(queue)
        return queue

    def _next_number(self) -> int:
        self.last_number += 1
        return self.last_number
