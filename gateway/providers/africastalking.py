"""Africa's Talking adapter: USSD, SMS and voice.

Fields and tables follow the vendor's pages (ussd, sms/deliveryreports, voice/callhandler) where they are
explicit, and recorded requests elsewhere. Unknown fields are ignored, unknown statuses too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.domain.failures import BadRequest
from flows.domain.records import Receipt, ReceiptState
from flows.engine.inbound import Inbound
from gateway.providers._africastalking.bulk_sms import AfricasTalkingAccount, AfricasTalkingSms
from gateway.providers._africastalking.status_codes import OUR_REASONS
from gateway.providers._africastalking.voice_xml import write_voice
from gateway.providers._shared.call_webhooks import REPEAT_KEY
from gateway.providers._shared.fields import require_field
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import (
    Connection,
    ConversationEnded,
    OptOut,
    ProviderAnswer,
    ProviderEvent,
    RawRequest,
    Sender,
    TransferFailed,
    Webhook,
    WebhookRoute,
)
from menus.model.reply import Reply

NAME = "africastalking"

TEXT_CONTENT_TYPE = "text/plain; charset=utf-8"

REPORT_STATES: Mapping[str, ReceiptState] = MappingProxyType(
    {
        "sent": "in_transit",
        "submitted": "in_transit",
        "buffered": "in_transit",
        "success": "delivered",
        "failed": "failed",
        "rejected": "failed",
        "expired": "failed",
        "absentsubscriber": "failed",
    }
)
"""Delivery state by a delivery report's status; any other is `unknown`. The vendor's letter case varies."""

NO_DURATION = ("", "0", "None")
"""Values of `dialDurationInSeconds` when a transferred call was not answered."""


class Settings(BaseModel):
    """One operator's account at Africa's Talking."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    username: str = Field(min_length=1)
    """The application's user name; `sandbox` chooses the vendor's sandbox."""
    api_key: SecretStr = Field(min_length=1)
    """Authenticates our calls to the vendor."""
    hook_token: SecretStr = Field(min_length=1)
    """The secret part of our webhook paths, as Africa's Talking signs nothing."""
    old_hook_token: SecretStr | None = Field(default=None, min_length=1)
    """The token before, still accepted while the vendor's dashboard is being changed."""
    sender: str = ""
    """The short code or name messages come from; empty leaves it to the account."""
    api_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Base URL of the vendor's API, e.g. a test server; empty means the vendor's own host."""


def authentic(raw: RawRequest, form: Mapping[str, str], connection: Connection) -> bool:
    """Return True: the vendor signs nothing, so the path token, compared before, is the only check."""
    return True


async def connect_sender(connection: Connection) -> Sender:
    """Return an SMS sender for this connection; nothing is opened before the first message."""
    settings: Settings = connection.settings
    key = settings.api_key.get_secret_value()
    return AfricasTalkingSms(AfricasTalkingAccount(settings.username, key, settings.sender, settings.api_url))


def read_ussd(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a step of a USSD session: `text` repeats all answers so far, and may be absent at first."""
    session_id = require_field(webhook.form, "sessionId")
    caller = read_caller(require_field(webhook.form, "phoneNumber"), connection.numbering)
    return Inbound(
        NAME,
        "ussd",
        connection.operator,
        session_id,
        caller,
        connection.addresses.get("ussd", ""),
        webhook.form.get("text", ""),
        accumulated=True,
        trust=connection.trust.get("ussd", "none"),
    )


def write_ussd(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write a reply: `CON` keeps the session open, `END` closes it; any other first word is an error there."""
    if reply is None:
        return write_closing("", connection)
    verb = "END" if reply.ends_session else "CON"
    return _text_answer(f"{verb} {reply.text}")


def write_closing(text: str, connection: Connection) -> ProviderAnswer:
    """Write a closing text, for when there is no reply to write."""
    return _text_answer(f"END {text}")


def read_ussd_ended(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read the end notification; its `input` repeats every typed secret and is not read."""
    return _conversation_ended(webhook, connection, "phoneNumber", "ussd")


def read_sms(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a text message; `linkId` is often empty and `date` comes in two shapes, so neither is used."""
    return Inbound(
        provider=NAME,
        channel="sms",
        operator=connection.operator,
        session_id="",
        caller=read_caller(require_field(webhook.form, "from"), connection.numbering),
        address=connection.addresses.get("sms", ""),
        text=webhook.form.get("text", ""),
        request_id=require_field(webhook.form, "id"),
        inline=False,
        trust=connection.trust.get("sms", "none"),
    )


def read_report(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a delivery report."""
    status = require_field(webhook.form, "status")
    return Receipt(
        provider=NAME,
        message_id=require_field(webhook.form, "id"),
        state=REPORT_STATES.get(status.strip().casefold(), "unknown"),
        raw=status,
        reason=webhook.form.get("failureReason", ""),
        is_our_fault=webhook.form.get("failureReason", "").strip() in OUR_REASONS,
    )


def read_opt_out(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read an opt-out: a recipient left the list of a sender name."""
    number = read_caller(require_field(webhook.form, "phoneNumber"), connection.numbering)
    if not number:
        raise BadRequest("phoneNumber is not a number")
    return OptOut(number)


def read_voice(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a step of a call; `callerNumber` is the subscriber in both directions."""
    if require_field(webhook.form, "isActive") == "0":
        return _conversation_ended(webhook, connection, "callerNumber", "voice")
    if "transferred" in webhook.query:
        is_answered = webhook.form.get("dialDurationInSeconds", "") not in NO_DURATION
        return None if is_answered else TransferFailed(webhook.query["transferred"])
    return Inbound(
        provider=NAME,
        channel="voice",
        operator=connection.operator,
        session_id=require_field(webhook.form, "sessionId"),
        caller=read_caller(webhook.form.get("callerNumber", ""), connection.numbering),
        address=connection.addresses.get("voice", ""),
        text=_pressed_keys(webhook),
        step=webhook.query.get("hop", ""),
        trust=connection.trust.get("voice", "none"),
    )


def read_voice_event(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a call event: only the end of a call is an event."""
    if webhook.form.get("isActive") != "0":
        return None
    return _conversation_ended(webhook, connection, "callerNumber", "voice")


def acknowledge(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write an empty body: replies to SMS go through the outbox."""
    return _text_answer("")


def _pressed_keys(webhook: Webhook) -> str | None:
    """Return the keys; None when none came in time, empty when the call has just begun.

    Only our own action URLs carry `hop`, and `noinput` marks the redirect of a silent caller, who gets no
    callback: one without keys says that the finish key was pressed alone, to hear the screen again.
    """
    if "noinput" in webhook.query:
        return None
    return webhook.form.get("dtmfDigits", "") or (REPEAT_KEY if webhook.query.get("hop") else "")


def _conversation_ended(
    webhook: Webhook, connection: Connection, caller_field: str, channel: str
) -> ConversationEnded:
    """Return the end of a conversation as an event."""
    number = read_caller(webhook.form.get(caller_field, ""), connection.numbering)
    return ConversationEnded(require_field(webhook.form, "sessionId"), number, channel)


def _text_answer(text: str) -> ProviderAnswer:
    return ProviderAnswer(text.encode(errors="replace"), TEXT_CONTENT_TYPE)


ROUTES: Mapping[str, WebhookRoute] = MappingProxyType(
    {
        "ussd": WebhookRoute(
            read_ussd, write_ussd, ("sessionId", "phoneNumber"), write_closing, proves_line=True
        ),
        "ussd-ended": WebhookRoute(read_ussd_ended, acknowledge, ("sessionId",)),
        "sms": WebhookRoute(read_sms, acknowledge, ("id", "from"), proves_line=True),
        "sms-report": WebhookRoute(read_report, acknowledge, ("id", "status")),
        "sms-optout": WebhookRoute(read_opt_out, acknowledge, ("phoneNumber",)),
        "voice": WebhookRoute(read_voice, write_voice, ("isActive", "sessionId")),
        "voice-event": WebhookRoute(read_voice_event, acknowledge),
    }
)
