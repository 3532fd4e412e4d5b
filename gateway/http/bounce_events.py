"""Bounce webhook: a mail relay posts delivery status notifications, as a mail or as JSON."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.domain.failures import BadRequest, Unavailable
from flows.domain.records import Receipt
from gateway.delivery.mail.bounce_recorder import BounceRecorder
from gateway.delivery.mail.bounce_report import build_receipt, parse_bounce
from gateway.http.guard import Guard
from gateway.http.json_body import JSON_CONTENT_TYPE

log = logging.getLogger("dialtree.bounces")
BOUNCE_PATH = "/hooks/{operator}/email/{token}/bounces"
MAIL_CONTENT_TYPES = frozenset({"message/rfc822", "message/global", "multipart/report", "text/plain"})
"""Content types whose body is the notification itself, headers included."""
MAX_FIELD_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class BounceHandler:
    """aiohttp handler of `BOUNCE_PATH`, for all operators."""

    guard: Guard = field(repr=False)
    recorder: BounceRecorder = field(repr=False)
    path_tokens: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Accepted path tokens by operator; an operator without one accepts no bounces."""
    now: Callable[[], datetime]

    async def handle_bounce(self, request: web.Request) -> web.Response:
        """Answer one notification: 204 when it is recorded, 4xx for anything else, 503 to have it sent again.

        A notification about a mail of ours that is not known, or of another operator, is acknowledged and
        changes nothing.
        """
        operator = request.match_info["operator"]
        try:
            body = await self.guard.read_event(request, self.path_tokens.get(operator, ()))
            receipt = read_notification(request.content_type, body)
        except BadRequest as error:
            return web.Response(status=error.status)
        try:
            await self.recorder.record_bounce(receipt, self.now(), operator)
        except Unavailable as failure:
            log.warning("bounces.deferred", extra={"operator": operator, "failure": type(failure).__name__})
            return web.Response(status=503)
        return web.Response(status=204)


def read_notification(content_type: str, body: bytes) -> Receipt:
    """Return the receipt of a posted notification; BadRequest 415 for another type, 400 for another body."""
    if content_type == JSON_CONTENT_TYPE:
        receipt = _read_fields(body)
    elif content_type in MAIL_CONTENT_TYPES:
        receipt = parse_bounce(body)
    else:
        raise BadRequest(f"send {JSON_CONTENT_TYPE} or message/rfc822", 415)
    if receipt is None:
        raise BadRequest("not a delivery status notification (RFC 3464)")
    return receipt


def _read_fields(body: bytes) -> Receipt | None:
    """Return the receipt of `message_id`, `action` and `status`, named as in RFC 3464; None for others."""
    try:
        fields = json.loads(body)
        values = [fields[name] for name in ("message_id", "action", "status")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(_is_plain(value) for value in values):
        return None
    return build_receipt(*values)


def _is_plain(value: object) -> bool:
    """Return whether a field is a text that every database can store and compare."""
    return isinstance(value, str) and 0 < len(value) <= MAX_FIELD_CHARACTERS and value.isprintable()
