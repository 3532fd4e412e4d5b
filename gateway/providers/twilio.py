"""Twilio: SMS and voice, in its words and ours; it offers no USSD.

Fields and tables follow twilio.com/docs (messaging/guides/webhook-request, usage/api message statuses,
voice/twiml). Twilio adds fields without notice: unknown ones are signed and ignored.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from xml.etree.ElementTree import Element

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.domain.failures import BadRequest
from flows.domain.records import Receipt
from flows.engine.inbound import Inbound
from gateway.providers._shared.fields import demanded
from gateway.providers._shared.numbers import e164
from gateway.providers._shared.xml import add, document
from gateway.providers._twilio.signature import Keys, genuine
from gateway.providers._twilio.sms import Account, TwilioSms
from gateway.providers._twilio.twiml import XML, write_voice
from gateway.providers.contract import Answer, Connection, Ended, Event, OptOut, Raw, Route, Sender, Webhook
from menus.model.reply import Reply

NAME = "twilio"

State = Literal["in_transit", "delivered", "failed", "unknown"]

STATES: Mapping[str, State] = MappingProxyType(
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
"""What a MessageStatus means; any other word (`partially_delivered` too) is `unknown`."""

OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""CallStatus values after which nothing more comes."""

OPT_OUTS: Mapping[str, bool] = MappingProxyType({"STOP": True, "START": False})
"""OptOutType: the recipient is out, or in again. `HELP` changes nothing: Twilio has answered it."""

WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE spelt on a keypad: not anybody's number."""

SUBSCRIBER: Mapping[str, str] = MappingProxyType({"outbound-api": "To", "outbound-dial": "To"})
"""By Direction the field that holds the subscriber; `From` for all others."""


class Settings(BaseModel):
    """One operator's account at Twilio."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account_sid: str = Field(min_length=1)
    """The account, `AC...`; no secret."""
    auth_token: SecretStr = Field(min_length=1)
    """The secret our calls to Twilio carry, which signs its requests to us unless `shared_keys` are set."""
    old_auth_token: SecretStr | None = Field(default=None, min_length=1)
    """What signed before, still accepted on requests while the secret is being changed."""
    shared_keys: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Twilio's shared keys by id; once set, requests must be signed by one of them with HMAC-SHA256."""
    sender: str = Field(min_length=1)
    """The number or name messages come from, or a messaging service `MG...`."""
    api_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where the REST interface is, e.g. a recorder or a region's host; empty means Twilio's own."""

    def keys(self) -> Keys:
        """The secrets requests may be signed with; shared keys leave SHA-1 to the token of before only."""
        tokens = (self.old_auth_token,) if self.shared_keys else (self.auth_token, self.old_auth_token)
        return Keys(
            tokens=tuple(token.get_secret_value() for token in tokens if token),
            shared={name: key.get_secret_value() for name, key in self.shared_keys.items()},
        )


def authentic(raw: Raw, form: Mapping[str, str], connection: Connection) -> bool:
    """Twilio's signature over the raw request, for the URL we are known by."""
    settings: Settings = connection.settings
    return genuine(raw, form, connection.public_url, settings.keys())


async def connect_sender(connection: Connection) -> Sender:
    """A sender of SMS for this connection; call it inside the running loop."""
    settings: Settings = connection.settings
    token = settings.auth_token.get_secret_value()
    account = Account(settings.account_sid, token, settings.sender, settings.api_url)
    return TwilioSms(account, f"{connection.hooks_url}/sms-status")


def read_sms(webhook: Webhook, connection: Connection) -> Event:
    """A text message, or a stop word Twilio has answered already."""
    caller = _party(webhook.form, "From")
    if kind := webhook.form.get("OptOutType", "").upper():
        return OptOut(caller, OPT_OUTS[kind]) if caller and kind in OPT_OUTS else None
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
        hop=demanded(webhook.form, "MessageSid"),
        trust=connection.trust.get("sms", "none"),
    )


def write_sms(reply: Reply | None, connection: Connection) -> Answer:
    """The reply as a Message; an empty Response says nothing."""
    root = Element("Response")
    if reply is not None and reply.text.strip():
        add(root, "Message", reply.text)
    return Answer(document(root), XML)


def read_status(webhook: Webhook, connection: Connection) -> Event:
    """What became of a message; `id` in the query is our own, so this may come before we stored Twilio's."""
    status = demanded(webhook.form, "MessageStatus")
    return Receipt(
        provider=NAME,
        message_id=demanded(webhook.form, "MessageSid"),
        state=STATES.get(status.strip().lower(), "unknown"),
        raw=status,
        reason=webhook.form.get("ErrorCode", ""),
        our_id=webhook.query.get("id", ""),
    )


def read_voice(webhook: Webhook, connection: Connection) -> Event:
    """A step of a call. Twilio may call the action URL once more after the caller hung up."""
    if _over(webhook):
        return _ended(webhook)
    text, spoken = _answered(webhook)
    return Inbound(
        provider=NAME,
        channel="voice",
        operator=connection.operator,
        session_id=demanded(webhook.form, "CallSid"),
        caller=_caller(webhook),
        address=connection.addresses.get("voice", ""),
        text=text,
        hop=webhook.query.get("hop", ""),
        trust=connection.trust.get("voice", "none"),
        spoken=spoken,
    )


def read_voice_status(webhook: Webhook, connection: Connection) -> Event:
    """The progress of a call: only its end matters to us."""
    return _ended(webhook) if _over(webhook) else None


def acknowledge(reply: Reply | None, connection: Connection) -> Answer:
    """An empty document: there is nothing to do."""
    return Answer(document(Element("Response")), XML)


def _answered(webhook: Webhook) -> tuple[str | None, bool]:
    """Keys or speech, and whether it was speech; None for silence; empty when the call has just begun.

    Only the action URLs of our own Gathers carry `hop`.
    """
    if digits := webhook.form.get("Digits", ""):
        return digits, False
    if speech := webhook.form.get("SpeechResult", ""):
        return speech, True
    return (None if webhook.query.get("hop") else ""), False


def _party(form: Mapping[str, str], name: str) -> str:
    """A number of an SMS. WhatsApp and RCS addresses (`whatsapp:+...`) are refused.

    Their account outlives the SIM it was made with, so what a connection proves about SMS does not hold there.
    """
    value = demanded(form, name)
    if ":" in value:
        raise BadRequest(f"{name} is not a telephone number")
    return e164(value)


def _caller(webhook: Webhook) -> str:
    field = SUBSCRIBER.get(webhook.form.get("Direction", ""), "From")
    number = e164(webhook.form.get(field, ""))
    return "" if number in WITHHELD else number


def _over(webhook: Webhook) -> bool:
    return webhook.form.get("CallStatus", "") in OVER


def _ended(webhook: Webhook) -> Ended:
    return Ended(demanded(webhook.form, "CallSid"), _caller(webhook), "voice")


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "sms": Route(read_sms, write_sms, ("MessageSid", "From")),
        "sms-status": Route(read_status, acknowledge, ("MessageSid", "MessageStatus")),
        "voice": Route(read_voice, write_voice, ("CallSid",)),
        "voice-status": Route(read_voice_status, acknowledge, ("CallSid",)),
    }
)
