"""Webhook request handler: from the provider's request to a conversation turn and its answer."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure
from flows.domain.payment_records import CardResult
from flows.domain.ports import Outbox
from flows.domain.records import Receipt
from flows.engine.conversation import TurnEngine
from flows.engine.inbound import Inbound
from flows.payments.card_results import CardResults
from gateway.http.deadline import with_timeout
from gateway.http.guard import UNAUTHENTIC_STATUS, Admission, Guard, WebhookEndpoint
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest
from gateway.observability.metrics import MetricsRegistry
from gateway.providers.contract import (
    ConversationEnded,
    OptOut,
    ProviderAnswer,
    ProviderEvent,
    SingleEvent,
    TransferFailed,
)
from menus.model.reply import Reply

log = logging.getLogger("dialtree.webhooks")
TURN_TIMEOUT_SECONDS = 8.0
"""Hard limit of a turn, after which the caller gets an apology; aggregators hang up at 10 to 15 s."""


@dataclass(frozen=True, slots=True)
class WebhookHandler:
    """Handler of all webhooks, whichever way they were received."""

    guard: Guard = field(repr=False)
    conversations: TurnEngine = field(repr=False)
    outbox: Outbox = field(repr=False)
    now: Callable[[], datetime]
    """Returns the current time, UTC."""
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    metrics: MetricsRegistry = field(default_factory=MetricsRegistry, repr=False)
    on_receipt: Callable[[Receipt], None] = field(default=lambda receipt: None, repr=False)
    """Called with each delivery receipt, to count it."""

    async def answer_webhook(self, request: WebhookRequest) -> WebhookAnswer:
        """Answer a webhook: 4xx for bad requests, 503 for what could not be recorded, otherwise 200."""
        started_at = time.perf_counter()
        try:
            admission = await self.guard.admit(request)
        except BadRequest as error:
            return _error_response(error)
        rejection = admission.rejection
        response = self._refuse(admission, rejection) if rejection else await self._run_event(admission)
        seconds = time.perf_counter() - started_at
        self.metrics.record_webhook(admission.endpoint.name, response.status, seconds)
        return response

    def _refuse(self, admission: Admission, rejection: BadRequest) -> WebhookAnswer:
        """Answer a rejected request with 4xx, or with a closing USSD text when its sender is authentic."""
        if admission.is_authentic:
            return self._reject_request(admission.endpoint, rejection)
        return _error_response(rejection)

    async def _run_event(self, admission: Admission) -> WebhookAnswer:
        """Run the event under the turn timeout; on any error log it and answer with an apology or 503."""
        event = admission.event
        try:
            return await with_timeout(TURN_TIMEOUT_SECONDS, self._dispatch_event(admission))
        except (Exception, TimeoutError) as error:
            # outermost handler: the caller always gets an answer, the log gets the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"endpoint": admission.endpoint.name, "failure": type(error).__name__}
            log.error("webhook.failed", exc_info=not expected, extra=extra)
            return self._apologise(admission) if _expects_reply(event) else _try_again_response()

    async def _dispatch_event(self, admission: Admission) -> WebhookAnswer:
        """Pass the event to conversations, outbox or ledger; return the answer, or the acknowledgement."""
        event = admission.event
        if isinstance(event, tuple):
            return await self._dispatch_list(admission, event)
        if isinstance(event, Inbound):
            return await self._run_turn(admission, event)
        operator = admission.endpoint.connection.operator
        if isinstance(event, TransferFailed):
            reply = self.conversations.apology_reply(operator, "voice", event.language)
            return _reply_response(admission, reply)
        if isinstance(event, CardResult):
            return await self._take_card_result(admission, event)
        if isinstance(event, ConversationEnded):
            await self._end_conversation(admission.endpoint, event)
        if isinstance(event, Receipt):
            _alert_if_ours(admission.endpoint, event)
            await self.outbox.record_receipt(event, self.now())
            self.on_receipt(event)
        if isinstance(event, OptOut):
            ledger = self.operators[operator].ledger
            await ledger.set_opt_out(operator, event.number, out=event.opted_out, now=self.now())
        return _ok_response(admission.endpoint, admission.endpoint.empty_answer)

    async def _dispatch_list(self, admission: Admission, events: tuple[SingleEvent, ...]) -> WebhookAnswer:
        """Dispatch the events of one request in order; when one fails the provider sends all of them again.

        Each message and report has an id, so that those that were recorded already change nothing then.
        """
        for event in events:
            await self._dispatch_event(replace(admission, event=event))
        return _ok_response(admission.endpoint, admission.endpoint.empty_answer)

    async def _run_turn(self, admission: Admission, event: Inbound) -> WebhookAnswer:
        """Run the turn, write its reply and commit it; a repeated request gets the reply stored before."""
        async with await self.conversations.run_turn(event) as turn:
            response = _reply_response(admission, turn.reply)
            await turn.commit()
        if turn.acknowledgement is not None:
            return replace(response, acknowledgement=turn.acknowledgement)
        return response

    async def _take_card_result(self, admission: Admission, event: CardResult) -> WebhookAnswer:
        """Apply how a payment by card in a call ended, and say it to the caller, if it is one of ours."""
        operator = admission.endpoint.connection.operator
        menu = self.conversations.menu_turns.menu_versions.current_menu(operator)
        reply = await CardResults(menu, self.operators[operator]).apply_result(event)
        if reply is None:
            return _error_response(BadRequest("this payment is not ours", UNAUTHENTIC_STATUS))
        return _reply_response(admission, reply)

    async def _end_conversation(self, endpoint: WebhookEndpoint, event: ConversationEnded) -> None:
        """End the session of a conversation the network has closed."""
        operator, provider = endpoint.connection.operator, endpoint.provider.NAME
        key = self.conversations.conversation_key(
            operator, provider, event.channel, event.session_id, event.caller
        )
        await self.conversations.end_session(key)

    def _reject_request(self, endpoint: WebhookEndpoint, error: BadRequest) -> WebhookAnswer:
        """Answer a malformed request with 4xx, or with a closing USSD text; nothing is stored."""
        if endpoint.route.write_closing is None:
            return _error_response(error)
        text = self.conversations.apology_reply(endpoint.connection.operator, "ussd").text
        answer = endpoint.route.write_closing(text, endpoint.connection)
        return _ok_response(endpoint, answer)

    def _apologise(self, admission: Admission) -> WebhookAnswer:
        """Return the apology in the provider's format; the acknowledgement unless it is a conversation turn."""
        event = admission.event
        if isinstance(event, CardResult):
            operator = admission.endpoint.connection.operator
            return _reply_response(admission, self.conversations.apology_reply(operator, "voice"))
        if not isinstance(event, Inbound):
            return _ok_response(admission.endpoint, admission.endpoint.empty_answer)
        return _reply_response(admission, self.conversations.apology_reply(event.operator, event.channel))


def _alert_if_ours(endpoint: WebhookEndpoint, receipt: Receipt) -> None:
    """Log a report that blames our account or sender: as long as it holds, nothing arrives."""
    if receipt.is_our_fault:
        log.error("webhook.sender_refused", extra={"endpoint": endpoint.name, "reason": receipt.reason[:64]})


def _error_response(error: BadRequest) -> WebhookAnswer:
    return WebhookAnswer(f"{error}\n".encode(), status=error.status)


def _expects_reply(event: ProviderEvent) -> bool:
    """Return whether the caller waits for a reply; anything else must be sent again, not acknowledged."""
    return isinstance(event, CardResult) or (isinstance(event, Inbound) and event.inline)


def _try_again_response() -> WebhookAnswer:
    """Return a 503, so that the provider sends again what was not recorded."""
    return WebhookAnswer(b"try again\n", status=503, headers={"Retry-After": "5"})


def _reply_response(admission: Admission, reply: Reply) -> WebhookAnswer:
    """Return the reply, written for the provider."""
    endpoint = admission.endpoint
    return _ok_response(endpoint, endpoint.route.write_answer(reply, endpoint.connection, admission.webhook))


def _ok_response(endpoint: WebhookEndpoint, answer: ProviderAnswer) -> WebhookAnswer:
    """Return a 200 with the provider's answer."""
    headers = endpoint.route.answer_headers
    if answer.headers:
        headers = {**headers, **answer.headers}
    return WebhookAnswer(answer.body, answer.content_type, headers=headers)
