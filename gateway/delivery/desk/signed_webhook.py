"""Webhook sender: posts ticket events signed by the Standard Webhooks scheme (HMAC-SHA256)."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime

from flows.domain.records import OutboundMessage, Secret
from gateway.delivery.desk.desk_client import DeskClient
from gateway.delivery.desk.ticket_event import parse_ticket_event
from gateway.providers.contract import SentMessage

NAME = "webhook"
EVENT_TYPE = "ticket.opened"
SECRET_PREFIX = "whsec_"  # noqa: S105 - the scheme's mark, not a secret
"""Marks a secret in base64; any other is taken as it stands."""


class SignedWebhookSender:
    """Posts each ticket event under its reference; a desk knows a repeat by `webhook-id`."""

    def __init__(self, client: DeskClient, secret: Secret, now: Callable[[], datetime]) -> None:
        self._client = client
        self._key = signing_key(secret)
        self._now = now

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Post one event, see `Sender.send`."""
        event = parse_ticket_event(notice.body)
        content = {"type": EVENT_TYPE, "timestamp": event.opened_at, "data": dict(event.filled_fields())}
        body = json.dumps(content).encode()
        await self._client.post("", body, self._signed_headers(f"ticket_{event.reference}", body))
        return SentMessage(NAME, event.reference)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _signed_headers(self, event_id: str, body: bytes) -> Mapping[str, str]:
        timestamp = str(int(self._now().timestamp()))
        signature = sign_webhook(self._key, event_id, timestamp, body)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature,
            "Idempotency-Key": event_id,
        }


def signing_key(secret: Secret) -> bytes:
    """Return the key of a secret: decoded behind `whsec_`, else its bytes; ValueError for invalid base64."""
    if not secret.value.startswith(SECRET_PREFIX):
        return secret.value.encode()
    return base64.b64decode(secret.value.removeprefix(SECRET_PREFIX), validate=True)


def sign_webhook(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks 1.0)."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
