"""jambonz adapter: calls by webhooks of an open-source voice gateway (docs.jambonz.org).

Set in jambonz, as the application's webhooks, by POST: `voice` as calling webhook, `voice-status` as call
status webhook. The account's webhook secret signs both.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.providers._aggregators.authentication import AuthenticityChecker
from gateway.providers._aggregators.description import AuthenticationForm
from gateway.providers._jambonz.verbs import write_verbs
from gateway.providers._shared.call_webhooks import CallWebhooks
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import (
    Connection,
    ProviderAnswer,
    ProviderEvent,
    Webhook,
    WebhookRoute,
)
from menus.model.reply import Reply

NAME = "jambonz"
ANSWERED_DIAL_STATUSES = frozenset({"completed", "in-progress"})
"""dial_call_status values of a transfer that an agent took; any other leaves the caller without one."""
MAX_FIELDS = 512
"""Most fields of a request: the first one of a call carries the whole SIP INVITE."""


class Settings(BaseModel):
    """One operator's application at jambonz."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook_secret: SecretStr = Field(min_length=1)
    """The account's webhook secret, which signs its requests."""
    old_webhook_secret: SecretStr | None = Field(default=None, min_length=1)
    """The webhook secret before, still accepted while it is being changed."""


SIGNATURE_FORM = AuthenticationForm.model_validate(
    {
        "kind": "hmac",
        "header": "Jambonz-Signature",
        "format": "t,v1",
        "over": "timestamp.body",
        "setting": "webhook_secret",
        "tolerance_seconds": 300,
    }
)
authentic = AuthenticityChecker(SIGNATURE_FORM, lambda: datetime.now(UTC)).check
"""Checks jambonz's signature: HMAC-SHA256 over time and body, not older than 300 seconds."""


def acknowledge(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write an empty list of verbs."""
    return write_verbs(None, connection)


def _caller_number(webhook: Webhook, connection: Connection) -> str:
    """Return the subscriber's number; empty when it is withheld."""
    field = "to" if webhook.form.get("direction") == "outbound" else "from"
    return read_caller(webhook.form.get(field, ""), connection.numbering)


CALLS = CallWebhooks(
    provider=NAME,
    call_id="call_sid",
    status="call_status",
    digits="digits",
    speech="speech.alternatives.0.transcript",
    finish_key_alone=("reason", "dtmfDetected"),
    dial_status="dial_call_status",
    answered_dial_statuses=ANSWERED_DIAL_STATUSES,
    caller_number=_caller_number,
)
"""How its call webhooks are read."""


def read_voice(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a step of a call."""
    return CALLS.read_step(webhook, connection)


def read_voice_status(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read the progress of a call: only its end is an event."""
    return CALLS.read_progress(webhook, connection)


ROUTES: Mapping[str, WebhookRoute] = MappingProxyType(
    {
        "voice": WebhookRoute(
            read_voice, write_verbs, ("call_sid",), body_format="json", max_fields=MAX_FIELDS
        ),
        "voice-status": WebhookRoute(
            read_voice_status, acknowledge, ("call_sid",), body_format="json", max_fields=MAX_FIELDS
        ),
    }
)
