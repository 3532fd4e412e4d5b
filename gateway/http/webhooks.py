"""Webhook request handler: from the provider's request to a conversation turn and its answer."""

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

log = logging.getLogger("dialtree.webhooks")
PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+)?}"
"""Route pattern; the tail is `token/route`, or only `route` where the provider signs its requests."""
HARD_SECONDS = 8.0
"""Hard limit of a turn, after which the caller gets an apology; aggregators hang up at 10 to 15 s."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """aiohttp handler of all webhooks (`WEBHOOK_PATH`)."""

    guard: Guard = field(repr=False)
    conversations: Conversations = field(repr=False)
    outbox: Outbox = field(repr=False)
    now: Callable[[], datetime]
    """Returns the current time, UTC."""
    metrics: Metrics = field(default_factory=Metrics, repr=False)
    reported: Callable[[Receipt], None] = field(default=lambda receipt: None, repr=False)
    """Called with each delivery receipt, to count it."""

    @property
    def doors(self) -> Doors:
        """All webhook endpoints."""
        return self.guard.doors

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a webhook: 4xx for bad requests, 503 for what could not be recorded, otherwise 200."""
        started_at = time.perf_counter()
        try:
            endpoint = await self.guard.door(request)
        except BadRequest as error:
            return web.Response(status=error.status, text=f"{error}\n")
        response = await self._admitted(endpoint, request)
        self.metrics.answered(endpoint.name, response.status, time.perf_counter() - started_at)
        return response

    async def _admitted(self, door: Door, request: web.Request) -> web.Response:
        """Admit the request, read its event and answer it; 4xx when either fails."""
        try:
            webhook = await self.guard.admitted(door, request)
        except BadRequest as error:
            return web.Response(status=error.status, text=f"{error}\n")
        try:
            guard.complete(door, webhook)
            event = door.route.read(webhook, door.connection)
        except BadRequest as error:
            return self._refused(door, error)
        return await self._answered(door, event)

    async def _answered(self, door: Door, event: Event) -> web.Response:
        """Run the event under the turn timeout; on any error log it and answer with an apology or 503."""
        try:
            return _response(door, await within(HARD_SECONDS, self._taken(door, event)))
        except (Exception, TimeoutError) as error:
            # outermost handler: the caller always gets an answer, the log gets the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"endpoint": door.name, "failure": type(error).__name__}
            log.error("webhook.failed", exc_info=not expected, extra=extra)
            return _response(door, self._sorry(door, event)) if _in_words(event) else _again()

    async def _taken(self, door: Door, event: Event) -> bytes | None:
        """Pass the event to conversations, outbox or ledger; return the reply, None to acknowledge only."""
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
        """End the session of a conversation the network has closed."""
        keys, operator = self.conversations.keys, door.connection.operator
        key = keys.session(operator, door.provider.NAME, event.channel, event.session_id, event.caller)
        await self.conversations.leave(key)

    def _refused(self, door: Door, bad: BadRequest) -> web.Response:
        """Answer a malformed request with 4xx, or with a closing USSD text; nothing is stored."""
        if door.route.polite is None:
            return web.Response(status=bad.status, text=f"{bad}\n")
        text = self.conversations.sorry(door.connection.operator, "ussd").text
        answer = door.route.polite(text, door.connection)
        return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})

    def _sorry(self, door: Door, event: Event) -> bytes | None:
        """Return the apology in the provider's format; None unless the event is a conversation turn."""
        if not isinstance(event, Inbound):
            return None
        reply = self.conversations.sorry(event.operator, event.channel)
        return door.route.write(reply, door.connection).body


def _in_words(event: Event) -> bool:
    """Return whether the caller waits for a reply; anything else must be sent again, not acknowledged."""
    return isinstance(event, Inbound) and event.inline


def _again() -> web.Response:
    """Return a 503, so that the provider sends again what was not recorded."""
    return web.Response(status=503, text="try again\n", headers={"Retry-After": "5"})


def _response(door: Door, body: bytes | None) -> web.Response:
    """Return a 200 with the body; without a body, the provider's empty acknowledgement."""
    empty = door.empty
    return OnePiece(empty.body if body is None else body, empty.content_type)
