"""Webhooks served through aiohttp's application: whatever the direct path leaves to it."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from flows.engine.reply_acknowledgement import ReplyAcknowledgement
from gateway.http import decoding
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest

WEBHOOK_PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+)?}"
"""Route pattern; the tail is `token/route`, or only `route` where the provider signs its requests."""
WEBHOOK_PARAMETERS_PATH = "/hooks/{operator}/{provider}/{tail:[^/]+(?:/[^/]+){2,6}}"
"""Route pattern of webhooks with path parameters behind the route's name."""
AnswerWebhook = Callable[[WebhookRequest], Awaitable[WebhookAnswer]]


class AcknowledgedResponse(web.Response):
    """A response that says when it was written to the connection; the caller may be gone by then.

    aiohttp writes a response after its handler has returned, and raises a ConnectionResetError when the
    connection was closed meanwhile: the reply then counts as not sent.
    """

    def __init__(self, answer: WebhookAnswer, acknowledgement: ReplyAcknowledgement) -> None:
        super().__init__(status=answer.status, body=answer.body, headers=_all_headers(answer))
        self._acknowledgement = acknowledgement

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the body, then complete the acknowledgement."""
        if self._eof_sent:
            return
        async with self._acknowledgement:
            await super().write_eof(data)


def routed_handler(answer_webhook: AnswerWebhook) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return an aiohttp handler for `WEBHOOK_PATH` and `WEBHOOK_PARAMETERS_PATH`."""

    async def handle(request: web.Request) -> web.Response:
        answer = await answer_webhook(_read_request(request))
        if answer.acknowledgement is not None:
            return AcknowledgedResponse(answer, answer.acknowledgement)
        return web.Response(status=answer.status, body=answer.body, headers=_all_headers(answer))

    return handle


def _read_request(request: web.Request) -> WebhookRequest:
    match = request.match_info
    return WebhookRequest(
        match["operator"],
        match["provider"],
        match["tail"],
        request.method,
        request.raw_path,
        request.headers,
        request.remote,
        partial(decoding.read_body, request),
    )


def _all_headers(answer: WebhookAnswer) -> dict[str, str]:
    return {**answer.headers, "Content-Type": answer.content_type}
