"""Hooks: the webhooks of all operators, from request to answer."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.domain.failures import BadRequest, Failure
from flows.domain.ports import Outbox
from flows.domain.records import Receipt
from flows.engine.conversation import Conversations
from flows.engine.inbound import Inbound
from gateway.http import guard
from gateway.http.deadline import within
from gateway.http.fast_response import OnePiece
from gateway.http.guard import Door, Doors, Guard
from gateway.observability.metrics import Metrics
from gateway.providers.contract import Ended, Event, OptOut

log = logging.getLogger("dialtree.hooks")
PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+)?}"
"""The tail is `token/route`, or only `route` where the provider signs its requests."""
HARD_SECONDS = 8.0
"""After so long a caller gets words whatever is still running; aggregators hang up at 10 to 15 s."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The one handler behind `/hooks/...`."""

    guard: Guard = field(repr=False)
    conversations: Conversations = field(repr=False)
    outbox: Outbox = field(repr=False)
    now: Callable[[], datetime]
    """The instant, UTC."""
    metrics: Metrics = field(default_factory=Metrics, repr=False)
    reported: Callable[[Receipt], None] = field(default=lambda receipt: None, repr=False)
    """Counts what providers report."""

    @property
    def doors(self) -> Doors:
        """Every webhook there is."""
        return self.guard.doors

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a webhook: bad requests 4xx, 503 for what could not be recorded, everything else 200."""
        began = time.perf_counter()
        try:
            door = await self.guard.door(request)
        except BadRequest as bad:
            return web.Response(status=bad.status, text=f"{bad}\n")
        response = await self._admitted(door, request)
        self.metrics.answered(door.name, response.status, time.perf_counter() - began)
        return response

    async def _admitted(self, door: Door, request: web.Request) -> web.Response:
        try:
            webhook = await self.guard.admitted(door, request)
        except BadRequest as bad:
            return web.Response(status=bad.status, text=f"{bad}\n")
        try:
            guard.complete(door, webhook)
            event = door.route.read(webhook, door.connection)
        except BadRequest as bad:
            return self._refused(door, bad)
        return await self._answered(door, event)

    async def _answered(self, door: Door, event: Event) -> web.Response:
        try:
            return _response(door, await within(HARD_SECONDS, self._taken(door, event)))
        except (Exception, TimeoutError) as error:
            # the process edge: whatever broke, the caller gets words and the log the reason
            expected = isinstance(error, (Failure, TimeoutError))
            log.error(
                "turn failed", exc_info=not expected, extra={"door": door.name, "failure": type(error).__name__}
            )
            return _response(door, self._sorry(door, event)) if _in_words(event) else _again()

    async def _taken(self, door: Door, event: Event) -> bytes | None:
        if isinstance(event, Inbound):
            return await self.conversations.turn(
                event, lambda reply: door.route.write(reply, door.connection).body
            )
        if isinstance(event, Ended):
            await self._ended(door, event)
        if isinstance(event, Receipt):
            await self.outbox.receipt(event, self.now())
            self.reported(event)
        if isinstance(event, OptOut):
            ledger = self.conversations.people[door.connection.operator].world.ledger
            await ledger.opt_out(door.connection.operator, event.number, out=event.out, now=self.now())
        return None

    async def _ended(self, door: Door, event: Ended) -> None:
        """The network closed the conversation: its session is of no use to anyone."""
        keys, operator = self.conversations.keys, door.connection.operator
        key = keys.session(operator, door.provider.NAME, event.channel, event.session_id, event.caller)
        await self.conversations.leave(key)

    def _refused(self, door: Door, bad: BadRequest) -> web.Response:
        """A USSD caller is answered in words even then; nothing is stored."""
        if door.route.polite is None:
            return web.Response(status=bad.status, text=f"{bad}\n")
        words = self.conversations.sorry(door.connection.operator, "ussd").text
        answer = door.route.polite(words, door.connection)
        return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})

    def _sorry(self, door: Door, event: Event) -> bytes | None:
        if not isinstance(event, Inbound):
            return None
        reply = self.conversations.sorry(event.operator, event.channel)
        return door.route.write(reply, door.connection).body


def _in_words(event: Event) -> bool:
    """Is there somebody on the line to apologise to? Anything else was lost if we said yes to it."""
    return isinstance(event, Inbound) and event.inline


def _again() -> web.Response:
    """What is not recorded is not accepted: the provider may bring it again."""
    return web.Response(status=503, text="try again\n", headers={"Retry-After": "5"})


def _response(door: Door, body: bytes | None) -> web.Response:
    """The provider's answer; without a body its empty acknowledgement."""
    empty = door.empty
    return OnePiece(empty.body if body is None else body, empty.content_type)
