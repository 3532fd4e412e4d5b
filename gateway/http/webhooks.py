"""Webhook request handler: from the provider's request to a conversation turn and its answer."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure
from flows.domain.ports import Outbox
from flows.domain.records import Receipt
from flows.engine.conversation import TurnEngine
from flows.engine.inbound import Inbound
from gateway.http.deadline import with_timeout
from gateway.http.fast_response import FastResponse
from gateway.http.guard import Admission, Guard, WebhookEndpoint
from gateway.observability.metrics import MetricsRegistry
from gateway.providers.contract import ConversationEnded, OptOut, ProviderEvent, TransferFailed

log = logging.getLogger("dialtree.webhooks")
WEBHOOK_PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+)?}"
"""Route pattern; the tail is `token/route`, or only `route` where the provider signs its requests."""
WEBHOOK_PARAMETERS_PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+){2,6}}"
"""Route pattern of webhooks with path parameters behind the route's name."""
TURN_TIMEOUT_SECONDS = 8.0
"""Hard limit of a turn, after which the caller gets an apology; aggregators hang up at 10 to 15 s."""


@dataclass(frozen=True, slots=True)
class WebhookHandler:
    """aiohttp handler of all webhooks (`WEBHOOK_PATH`)."""

    guard: Guard = field(repr=False)
    conversations: TurnEngine = field(repr=False)
    outbox: Outbox = field(repr=False)
    now: Callable[[], datetime]
    """Returns the current time, UTC."""
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    metrics: MetricsRegistry = field(default_factory=MetricsRegistry, repr=False)
    on_receipt: Callable[[Receipt], None] = field(default=lambda receipt: None, repr=False)
    """Called with each delivery receipt, to count it."""

    async def handle_webhook(self, request: web.Request) -> web.Response:
        """Answer a webhook: 4xx for bad requests, 503 for what could not be recorded, otherwise 200."""
        started_at = time.perf_counter()
        try:
            admission = await self.guard.admit(request)
        except BadRequest as error:
            return _error_response(error)
        response = await self._respond(admission)
        seconds = time.perf_counter() - started_at
        self.metrics.record_webhook(admission.endpoint.name, response.status, seconds)
        return response

    async def _respond(self, admission: Admission) -> web.Response:
        """Answer the event of an admitted request; 4xx for a rejected one, or a closing USSD text."""
        if admission.rejection is None:
            return await self._run_event(admission.endpoint, admission.event)
        if admission.is_authentic:
            return self._reject_request(admission.endpoint, admission.rejection)
        return _error_response(admission.rejection)

    async def _run_event(self, endpoint: WebhookEndpoint, event: ProviderEvent) -> web.Response:
        """Run the event under the turn timeout; on any error log it and answer with an apology or 503."""
        try:
            return _ok_response(
                endpoint, await with_timeout(TURN_TIMEOUT_SECONDS, self._dispatch_event(endpoint, event))
            )
        except (Exception, TimeoutError) as error:
            # outermost handler: the caller always gets an answer, the log gets the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"endpoint": endpoint.name, "failure": type(error).__name__}
            log.error("webhook.failed", exc_info=not expected, extra=extra)
            return (
                _ok_response(endpoint, self._apology_body(endpoint, event))
                if _expects_reply(event)
                else _try_again_response()
            )

    async def _dispatch_event(self, endpoint: WebhookEndpoint, event: ProviderEvent) -> bytes | None:
        """Pass the event to conversations, outbox or ledger; return the reply, None to acknowledge only."""
        if isinstance(event, Inbound):
            return await self._run_turn(endpoint, event)
        if isinstance(event, TransferFailed):
            reply = self.conversations.apology_reply(endpoint.connection.operator, "voice", event.language)
            return endpoint.route.write(reply, endpoint.connection).body
        if isinstance(event, ConversationEnded):
            await self._end_conversation(endpoint, event)
        if isinstance(event, Receipt):
            await self.outbox.record_receipt(event, self.now())
            self.on_receipt(event)
        if isinstance(event, OptOut):
            operator = endpoint.connection.operator
            ledger = self.operators[operator].ledger
            await ledger.set_opt_out(operator, event.number, out=event.opted_out, now=self.now())
        return None

    async def _run_turn(self, endpoint: WebhookEndpoint, event: Inbound) -> bytes:
        """Run the turn, write its reply and commit it; a repeated request gets the body stored before."""
        async with await self.conversations.run_turn(event) as turn:
            if turn.stored_body is not None:
                return turn.stored_body
            body = endpoint.route.write(turn.reply, endpoint.connection).body
            await turn.commit(body)
        return body

    async def _end_conversation(self, endpoint: WebhookEndpoint, event: ConversationEnded) -> None:
        """End the session of a conversation the network has closed."""
        operator, provider = endpoint.connection.operator, endpoint.provider.NAME
        key = self.conversations.conversation_key(
            operator, provider, event.channel, event.session_id, event.caller
        )
        await self.conversations.end_session(key)

    def _reject_request(self, endpoint: WebhookEndpoint, error: BadRequest) -> web.Response:
        """Answer a malformed request with 4xx, or with a closing USSD text; nothing is stored."""
        if endpoint.route.write_closing is None:
            return _error_response(error)
        text = self.conversations.apology_reply(endpoint.connection.operator, "ussd").text
        answer = endpoint.route.write_closing(text, endpoint.connection)
        headers = {**endpoint.route.answer_headers, "Content-Type": answer.content_type}
        return web.Response(body=answer.body, headers=headers)

    def _apology_body(self, endpoint: WebhookEndpoint, event: ProviderEvent) -> bytes | None:
        """Return the apology in the provider's format; None unless the event is a conversation turn."""
        if not isinstance(event, Inbound):
            return None
        reply = self.conversations.apology_reply(event.operator, event.channel)
        return endpoint.route.write(reply, endpoint.connection).body


def _error_response(error: BadRequest) -> web.Response:
    return web.Response(status=error.status, text=f"{error}\n")


def _expects_reply(event: ProviderEvent) -> bool:
    """Return whether the caller waits for a reply; anything else must be sent again, not acknowledged."""
    return isinstance(event, Inbound) and event.inline


def _try_again_response() -> web.Response:
    """Return a 503, so that the provider sends again what was not recorded."""
    return web.Response(status=503, text="try again\n", headers={"Retry-After": "5"})


def _ok_response(endpoint: WebhookEndpoint, body: bytes | None) -> web.Response:
    """Return a 200 with the body; without a body, the provider's empty acknowledgement."""
    empty, headers = endpoint.empty_answer, endpoint.route.answer_headers
    if headers:
        headers = {**headers, "Content-Type": empty.content_type}
        return web.Response(body=empty.body if body is None else body, headers=headers)
    return FastResponse(empty.body if body is None else body, empty.content_type)
