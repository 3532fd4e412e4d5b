"""Turns of a link that run beside its reader: a limited number, finished or cancelled with it."""

import asyncio
import logging
from collections.abc import Coroutine

from flows.domain.failures import Failure
from flows.engine.inbound import Inbound
from gateway.providers.contract import LinkEvents, ReplySender
from menus.model.reply import Reply

log = logging.getLogger("dialtree.links")
MAX_TURNS = 64
"""USSD turns at once; of a new session above it the caller gets an apology."""


class RunningTurns:
    """The turns under way on one link."""

    def __init__(self, events: LinkEvents) -> None:
        self._events = events
        self._tasks: set[asyncio.Task[None]] = set()
        self.turned_away = 0
        """New sessions for which there was no room."""

    def start_turn(self, event: Inbound, send: ReplySender, seconds: float | None = None) -> None:
        """Run a turn beside the reader; a new session for which there is no room gets an apology.

        `seconds`: how long the turn may take; None leaves the gateway's own limit.
        """
        if event.begins and self.is_full:
            self.turned_away += 1
            self.start_task(send_quietly(send, self._events.apology()))
            return
        self.start_task(self._events.answer(event, send, seconds))

    @property
    def is_full(self) -> bool:
        """Whether a new session has to be turned away."""
        return len(self._tasks) >= MAX_TURNS

    def start_task(self, work: Coroutine[object, object, None]) -> None:
        """Run any work of a turn beside the reader."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, seconds: float) -> None:
        """Wait for the turns under way, at most this long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def cancel(self) -> None:
        """Cancel the turns that are still under way."""
        for task in self._tasks:
            task.cancel()


async def send_quietly(send: ReplySender, reply: Reply) -> None:
    """Send a reply nothing depends on; a failure is logged."""
    try:
        await send(reply)
    except Failure as failure:
        log.warning("link.reply_not_sent", extra={"failure": type(failure).__name__})
