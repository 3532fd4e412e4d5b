"""Call webhooks of Twilio's kind: call status, keys, speech and the outcome of a transfer are fields."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.engine.inbound import Inbound
from gateway.providers._shared.fields import require_field
from gateway.providers.contract import Connection, ConversationEnded, ProviderEvent, TransferFailed, Webhook

FINAL_CALL_STATUSES = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""Call statuses after which no request follows, of Twilio and of jambonz."""
REPEAT_KEY = "#"
"""The finish key of our gathers, which alone asks to hear the screen again."""


@dataclass(frozen=True, slots=True)
class CallWebhooks:
    """One provider's field names, by which its call webhooks are read."""

    provider: str
    call_id: str
    status: str
    digits: str
    speech: str
    finish_key_alone: tuple[str, str]
    """Field and value of a request without keys that says the finish key was pressed."""
    dial_status: str
    answered_dial_statuses: frozenset[str]
    """Outcomes of a transfer that an agent took; any other leaves the caller without one."""
    caller_number: Callable[[Webhook, Connection], str]
    """Returns the subscriber's number; empty when it is withheld."""

    def read_step(self, webhook: Webhook, connection: Connection) -> ProviderEvent:
        """Read a step of a call: its start, what a gather brought, how a transfer ended, or the call's end."""
        if self._is_over(webhook):
            return self._write_end(webhook, connection)
        if outcome := webhook.form.get(self.dial_status, ""):
            answered = outcome in self.answered_dial_statuses
            return None if answered else TransferFailed(webhook.query.get("language", ""))
        text, spoken = self._typed_or_spoken(webhook)
        return Inbound(
            provider=self.provider,
            channel="voice",
            operator=connection.operator,
            session_id=require_field(webhook.form, self.call_id),
            caller=self.caller_number(webhook, connection),
            address=connection.addresses.get("voice", ""),
            text=text,
            step=webhook.query.get("hop", ""),
            trust=connection.trust.get("voice", "none"),
            spoken=spoken,
        )

    def read_progress(self, webhook: Webhook, connection: Connection) -> ProviderEvent:
        """Read the progress of a call: only its end is an event."""
        ended = self._write_end(webhook, connection)
        return ended if self._is_over(webhook) else None

    def _typed_or_spoken(self, webhook: Webhook) -> tuple[str | None, bool]:
        """Return keys or speech, and whether it was speech; None for silence, empty at the start of a call.

        Only the action URLs of our own gathers carry `hop`.
        """
        if digits := webhook.form.get(self.digits, ""):
            return digits, False
        if speech := webhook.form.get(self.speech, ""):
            return speech, True
        field, value = self.finish_key_alone
        if webhook.form.get(field) == value:  # it ended an input of no keys
            return REPEAT_KEY, False
        return (None if webhook.query.get("hop") else ""), False

    def _is_over(self, webhook: Webhook) -> bool:
        return webhook.form.get(self.status, "") in FINAL_CALL_STATUSES

    def _write_end(self, webhook: Webhook, connection: Connection) -> ConversationEnded:
        call_id = require_field(webhook.form, self.call_id)
        return ConversationEnded(call_id, self.caller_number(webhook, connection), "voice")
