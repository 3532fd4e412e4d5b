"""Twilio adapter: SMS and voice (Twilio offers no USSD).

Fields and tables follow twilio.com/docs (messaging/guides/webhook-request, usage/api message statuses,
voice/twiml). Twilio adds fields without notice: unknown ones are signed and ignored. Each webhook may be set to
GET in its console; the signed URL then holds the fields.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated
from xml.etree.ElementTree import Element

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.domain.failures import BadRequest
from flows.domain.payment_records import CardResult
from flows.domain.records import Receipt, ReceiptState
from flows.engine.inbound import Inbound
from gateway.providers._shared.call_webhooks import REPEAT_KEY, CallWebhooks
from gateway.providers._shared.fields import require_field
from gateway.providers._shared.numbers import read_caller, to_e164
from gateway.providers._shared.xml import add_element, serialise_document
from gateway.providers._twilio.error_codes import is_our_fault
from gateway.providers._twilio.messages_api import TwilioAccount, TwilioSms
from gateway.providers._twilio.signature import SigningKeys, is_genuine
from gateway.providers._twilio.twiml import XML_CONTENT_TYPE, write_voice
from gateway.providers.contract import (
    Connection,
    OptOut,
    ProviderAnswer,
    ProviderEvent,
    RawRequest,
    Sender,
    Webhook,
    WebhookRoute,
)
from menus.model.reply import Reply

NAME = "twilio"

MESSAGE_STATES: Mapping[str, ReceiptState] = MappingProxyType(
    {
        "accepted": "in_transit",
        "scheduled": "in_transit",
        "queued": "in_transit",
        "sending": "in_transit",
        "sent": "in_transit",
        "delivered": "delivered",
        "read": "delivered",
        "undelivered": "failed",
        "failed": "failed",
        "canceled": "failed",
    }
)
"""Delivery state by MessageStatus; any other status (`partially_delivered` too) is `unknown`."""

ANSWERED_DIAL_STATUSES = frozenset({"completed", "answered"})
"""DialCallStatus values of a transfer that an agent took; any other leaves the caller without one."""

OPT_OUT_TYPES: Mapping[str, bool] = MappingProxyType({"STOP": True, "START": False})
"""Opted out or in by OptOutType; `HELP` changes nothing, as Twilio has answered it."""

WITHHELD_NUMBERS = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""Numbers sent for a withheld caller: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE on a keypad."""

PAID_RESULT = "success"
"""The `Result` of a charged card; any other (payment-connector-error, caller-hung-up, ...) moved no money."""
MAX_CONFIRMATION_CODE = 255
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?", re.ASCII)

SUBSCRIBER_FIELDS: Mapping[str, str] = MappingProxyType({"outbound-api": "To", "outbound-dial": "To"})
"""Field that holds the subscriber's number, by Direction; `From` for all others."""


class Settings(BaseModel):
    """One operator's account at Twilio."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account_sid: str = Field(min_length=1)
    """The account, `AC...`; not secret."""
    auth_token: SecretStr = Field(min_length=1)
    """Authenticates our calls to Twilio, and signs its requests to us unless `shared_keys` are set."""
    old_auth_token: SecretStr | None = Field(default=None, min_length=1)
    """The auth token before, still accepted on requests while it is being changed."""
    shared_keys: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Twilio's shared keys by id; once set, requests must be signed by one of them with HMAC-SHA256."""
    more_fields: tuple[Annotated[str, Field(pattern="^[A-Z][A-Za-z0-9]+$")], ...] = ()
    """Fields Twilio has added since this release that sort right behind a subscriber's text.

    Without a name here such requests are refused, as the field could be split off that text.
    """
    sender: str = Field(min_length=1)
    """The number or name messages come from, or a messaging service `MG...`."""
    pay_connector: str = Field(default="", pattern=r"^[\w.\-]{0,64}$")
    """Unique name of a Pay connector of the account: calls then offer payment by card. Empty: never."""
    pay_postal_code: bool = False
    """Whether Twilio asks for the card's postal code."""
    api_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Base URL of the REST API, e.g. a test server or a region's host; empty means Twilio's own."""

    def signing_keys(self) -> SigningKeys:
        """Return the secrets requests may be signed with.

        Once shared keys are set, HMAC-SHA1 is accepted with the old auth token only.
        """
        tokens = (self.old_auth_token,) if self.shared_keys else (self.auth_token, self.old_auth_token)
        return SigningKeys(
            auth_tokens=tuple(token.get_secret_value() for token in tokens if token),
            shared_keys={name: key.get_secret_value() for name, key in self.shared_keys.items()},
            more_fields=frozenset(self.more_fields),
        )


def authentic(raw: RawRequest, form: Mapping[str, str], connection: Connection) -> bool:
    """Check Twilio's signature of the raw request for our public URL."""
    settings: Settings = connection.settings
    return is_genuine(raw, form, connection.public_url, settings.signing_keys())


async def connect_sender(connection: Connection) -> Sender:
    """Return an SMS sender for this connection; must be called inside the running loop."""
    settings: Settings = connection.settings
    token = settings.auth_token.get_secret_value()
    account = TwilioAccount(settings.account_sid, token, settings.sender, settings.api_url)
    return TwilioSms(account, f"{connection.hooks_url}/sms-status")


def read_sms(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a text message, or an opt-out word Twilio has already answered."""
    caller = _sms_number(webhook.form, "From", connection)
    if kind := webhook.form.get("OptOutType", "").upper():
        return OptOut(caller, OPT_OUT_TYPES[kind]) if caller and kind in OPT_OUT_TYPES else None
    if "Body" not in webhook.form:
        raise BadRequest("Body is missing")
    return Inbound(
        provider=NAME,
        channel="sms",
        operator=connection.operator,
        session_id="",
        caller=caller,
        address=connection.addresses.get("sms", ""),
        text=webhook.form["Body"],
        request_id=require_field(webhook.form, "MessageSid"),
        trust=connection.trust.get("sms", "none"),
    )


def write_sms(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write the reply as a Message; an empty Response sends nothing."""
    root = Element("Response")
    if reply is not None and reply.text.strip():
        add_element(root, "Message", reply.text)
    return ProviderAnswer(serialise_document(root), XML_CONTENT_TYPE)


def read_status(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a delivery status; `id` in the query is our key, as this may arrive before Twilio's id is stored."""
    status = require_field(webhook.form, "MessageStatus")
    return Receipt(
        provider=NAME,
        message_id=require_field(webhook.form, "MessageSid"),
        state=MESSAGE_STATES.get(status.strip().lower(), "unknown"),
        raw=status,
        reason=webhook.form.get("ErrorCode", ""),
        our_id=webhook.query.get("id", ""),
        is_our_fault=is_our_fault(webhook.form.get("ErrorCode", "")),
    )


def acknowledge(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write an empty document."""
    return ProviderAnswer(serialise_document(Element("Response")), XML_CONTENT_TYPE)


def _sms_number(form: Mapping[str, str], name: str, connection: Connection) -> str:
    """Return a number of an SMS; WhatsApp and RCS addresses (`whatsapp:+...`) are rejected.

    Such an account outlives the SIM it was made with, so the trust of an SMS connection does not hold for it.
    """
    value = require_field(form, name)
    if ":" in value:
        raise BadRequest(f"{name} is not a telephone number")
    return read_caller(value, connection.numbering)


def _caller_number(webhook: Webhook, connection: Connection) -> str:
    """Return the subscriber's number; empty when it is withheld."""
    field = SUBSCRIBER_FIELDS.get(webhook.form.get("Direction", ""), "From")
    written = webhook.form.get(field, "")
    return "" if to_e164(written) in WITHHELD_NUMBERS else read_caller(written, connection.numbering)


CALLS = CallWebhooks(
    provider=NAME,
    call_id="CallSid",
    status="CallStatus",
    digits="Digits",
    speech="SpeechResult",
    finish_key_alone=("FinishedOnKey", REPEAT_KEY),
    dial_status="DialCallStatus",
    answered_dial_statuses=ANSWERED_DIAL_STATUSES,
    caller_number=_caller_number,
)
"""How its call webhooks are read."""


def read_voice(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read a step of a call; Twilio may call the action URL once more after the caller hung up."""
    _demand_caller(webhook)
    return CALLS.read_step(webhook, connection)


def _demand_caller(webhook: Webhook) -> None:
    """Refuse a call without the field `From`, which is empty for a withheld number.

    Twilio's signature covers names and values without separators: it would also fit a request whose `From`
    was moved into the value before it, and hide the caller.
    """
    if "From" not in webhook.form:
        raise BadRequest("From is missing")


def read_voice_status(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read the progress of a call: only its end is an event."""
    return CALLS.read_progress(webhook, connection)


def read_pay(webhook: Webhook, connection: Connection) -> ProviderEvent:
    """Read how a payment by card ended; None while it is under way, or where no card is taken.

    Our own address names the payment and what was to be charged, and the signature covers it. Of the card no
    field is read.
    """
    require_field(webhook.form, "CallSid")
    outcome, query = webhook.form.get("Result", ""), webhook.query
    if not outcome or not connection.takes_cards:
        return None
    charged = webhook.form.get("ChargeAmount") or require_field(query, "amount")
    if not AMOUNT.fullmatch(charged):
        raise BadRequest("amount is malformed")
    return CardResult(
        payment=require_field(query, "payment"),
        is_paid=outcome == PAID_RESULT,
        amount=Decimal(charged),
        currency=require_field(query, "currency"),
        reference=webhook.form.get("PaymentConfirmationCode", "")[:MAX_CONFIRMATION_CODE],
    )


ROUTES: Mapping[str, WebhookRoute] = MappingProxyType(
    {
        "sms": WebhookRoute(read_sms, write_sms, ("MessageSid", "From"), accepts_get=True),
        "sms-status": WebhookRoute(read_status, acknowledge, ("MessageSid", "MessageStatus"), accepts_get=True),
        "voice": WebhookRoute(read_voice, write_voice, ("CallSid",), accepts_get=True),
        "pay": WebhookRoute(read_pay, write_voice, ("CallSid",)),
        "voice-status": WebhookRoute(read_voice_status, acknowledge, ("CallSid",), accepts_get=True),
    }
)
