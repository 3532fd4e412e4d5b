"""jambonz adapter: calls by webhooks of an open-source voice gateway (docs.jambonz.org).

Set in jambonz, as the application's webhooks, by POST: `voice` as calling webhook, `voice-status` as call
status webhook. The account's webhook secret signs both.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.engine.inbound import Inbound
from gateway.providers._aggregators.authentication import AuthenticityChecker
from gateway.providers._aggregators.description import AuthenticationForm
from gateway.providers._jambonz.verbs import write_verbs
from gateway.providers._shared.fields import require_field
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import (
    Connection,
    ConversationEnded,
    ProviderAnswer,
    ProviderEvent,
    TransferFailed,
    Webhook,
    WebhookRoute,
)
from menus.model.reply import Reply

NAME = "jambonz"
FINAL_CALL_STATUSES = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""call_status values after which no request follows."""
ANSWERED_DIAL_STATUSES = frozenset({"completed", "in-progress"})
"""dial_call_status values of a transfer that an agent took; any other leaves the caller without one."""
REPEAT_KEY = "#"
"""The finish key of our gathers, which alone asks to hear the screen again."""
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


def read_voice(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a step of a call: its start, what a gather brought, or how a transfer ended."""
    if _call_is_over(webhook):
        return _call_ended(webhook, connection)
    if outcome := webhook.form.get("dial_call_status", ""):
        answered = outcome in ANSWERED_DIAL_STATUSES
        return None if answered else TransferFailed(webhook.query.get("language", ""))
    text, spoken = _typed_or_spoken(webhook)
    return Inbound(
        provider=NAME,
        channel="voice",
        operator=connection.operator,
        session_id=require_field(webhook.form, "call_sid"),
        caller=_caller_number(webhook, connection),
        address=connection.addresses.get("voice", ""),
        text=text,
        step=webhook.query.get("hop", ""),
        trust=connection.trust.get("voice", "none"),
        spoken=spoken,
    )


def read_voice_status(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read the progress of a call: only its end is an event."""
    ended = _call_ended(webhook, connection)
    return ended if _call_is_over(webhook) else None


def acknowledge(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write an empty list of verbs."""
    return write_verbs(None, connection)


def _typed_or_spoken(webhook: Webhook) -> tuple[str | None, bool]:
    """Return keys or speech, and whether it was speech; None for silence, empty at the start of a call.

    Only the actionHooks of our own gathers carry `hop`.
    """
    if digits := webhook.form.get("digits", ""):
        return digits, False
    if speech := webhook.form.get("speech.alternatives.0.transcript", ""):
        return speech, True
    if webhook.form.get("reason") == "dtmfDetected":  # the finish key alone: it ended an input of no keys
        return REPEAT_KEY, False
    return (None if webhook.query.get("hop") else ""), False


def _caller_number(webhook: Webhook, connection: Connection) -> str:
    """Return the subscriber's number; empty when it is withheld."""
    field = "to" if webhook.form.get("direction") == "outbound" else "from"
    return read_caller(webhook.form.get(field, ""), connection.numbering)


def _call_is_over(webhook: Webhook) -> bool:
    """Return whether the call has ended."""
    return webhook.form.get("call_status", "") in FINAL_CALL_STATUSES


def _call_ended(webhook: Webhook, connection: Connection) -> ConversationEnded:
    """Return the end of the call as an event."""
    return ConversationEnded(
        require_field(webhook.form, "call_sid"), _caller_number(webhook, connection), "voice"
    )


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
