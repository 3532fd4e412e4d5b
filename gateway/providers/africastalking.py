"""Africa's Talking adapter: USSD, SMS and voice.

Fields and tables follow the vendor's pages (ussd, sms/deliveryreports, voice/callhandler) where they are
explicit, and recorded requests elsewhere. Unknown fields are ignored, unknown statuses too.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.domain.failures import BadRequest
from flows.domain.records import Receipt
from flows.engine.inbound import Inbound
from gateway.providers._africastalking.sms import Account, AfricasTalkingSms
from gateway.providers._africastalking.voice_xml import write_voice
from gateway.providers._shared.fields import demanded
from gateway.providers._shared.numbers import e164
from gateway.providers.contract import Answer, Connection, Ended, Event, OptOut, Raw, Route, Sender, Webhook
from menus.model.reply import Reply

NAME = "africastalking"

PLAIN = "text/plain; charset=utf-8"

State = Literal["in_transit", "delivered", "failed", "unknown"]

STATES: Mapping[str, State] = MappingProxyType(
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


def authentic(raw: Raw, form: Mapping[str, str], connection: Connection) -> bool:
    """Return True: the vendor signs nothing, so the path token, compared before, is the only check."""
    return True


async def connect_sender(connection: Connection) -> Sender:
    """Return an SMS sender for this connection; nothing is opened before the first message."""
    settings: Settings = connection.settings
    key = settings.api_key.get_secret_value()
    return AfricasTalkingSms(Account(settings.username, key, settings.sender, settings.api_url))


def read_ussd(webhook: Webhook, connection: Connection) -> Event:
    """Read a step of a USSD session: `text` repeats all answers so far, and may be absent at first."""
    return Inbound(
        provider=NAME,
        channel="ussd",
        operator=connection.operator,
        session_id=demanded(webhook.form, "sessionId"),
        caller=e164(demanded(webhook.form, "phoneNumber")),
        address=connection.addresses.get("ussd", ""),
        text=webhook.form.get("text", ""),
        accumulated=True,
        trust=connection.trust.get("ussd", "none"),
    )


def write_ussd(reply: Reply | None, connection: Connection) -> Answer:
    """Write a reply: `CON` keeps the session open, `END` closes it; any other first word is an error there."""
    if reply is None:
        return polite("", connection)
    verb = "END" if reply.ends else "CON"
    return _plain(f"{verb} {reply.text}")


def polite(text: str, connection: Connection) -> Answer:
    """Write a closing text, for when there is no reply to write."""
    return _plain(f"END {text}")


def read_ussd_ended(webhook: Webhook, connection: Connection) -> Event:
    """Read the end notification; its `input` repeats every typed secret and is not read."""
    return _ended(webhook, "phoneNumber", "ussd")


def read_sms(webhook: Webhook, connection: Connection) -> Event:
    """Read a text message; `linkId` is often empty and `date` comes in two shapes, so neither is used."""
    return Inbound(
        provider=NAME,
        channel="sms",
        operator=connection.operator,
        session_id="",
        caller=e164(demanded(webhook.form, "from")),
        address=connection.addresses.get("sms", ""),
        text=webhook.form.get("text", ""),
        hop=demanded(webhook.form, "id"),
        inline=False,
        trust=connection.trust.get("sms", "none"),
    )


def read_report(webhook: Webhook, connection: Connection) -> Event:
    """Read a delivery report."""
    status = demanded(webhook.form, "status")
    return Receipt(
        provider=NAME,
        message_id=demanded(webhook.form, "id"),
        state=STATES.get(status.strip().casefold(), "unknown"),
        raw=status,
        reason=webhook.form.get("failureReason", ""),
    )


def read_opt_out(webhook: Webhook, connection: Connection) -> Event:
    """Read an opt-out: a recipient left the list of a sender name."""
    number = e164(demanded(webhook.form, "phoneNumber"))
    if not number:
        raise BadRequest("phoneNumber is not a number")
    return OptOut(number)


def read_voice(webhook: Webhook, connection: Connection) -> Event:
    """Read a step of a call; `callerNumber` is the subscriber in both directions."""
    if demanded(webhook.form, "isActive") == "0":
        return _ended(webhook, "callerNumber", "voice")
    return Inbound(
        provider=NAME,
        channel="voice",
        operator=connection.operator,
        session_id=demanded(webhook.form, "sessionId"),
        caller=e164(webhook.form.get("callerNumber", "")),
        address=connection.addresses.get("voice", ""),
        text=_pressed(webhook),
        hop=webhook.query.get("hop", ""),
        trust=connection.trust.get("voice", "none"),
    )


def read_voice_event(webhook: Webhook, connection: Connection) -> Event:
    """Read a call event: only the end of a call is an event."""
    if webhook.form.get("isActive") != "0":
        return None
    return _ended(webhook, "callerNumber", "voice")


def acknowledge(reply: Reply | None, connection: Connection) -> Answer:
    """Write an empty body: replies to SMS go through the outbox."""
    return _plain("")


def _pressed(webhook: Webhook) -> str | None:
    """Return the keys; None when none came in time, empty when the call has just begun.

    Only our own action URLs carry `hop`, and `noinput` marks the redirect of a silent caller.
    """
    if "noinput" in webhook.query:
        return None
    return webhook.form.get("dtmfDigits", "") or (None if webhook.query.get("hop") else "")


def _ended(webhook: Webhook, caller: str, channel: str) -> Ended:
    """Return the end of a conversation as an event."""
    number = e164(webhook.form.get(caller, ""))
    return Ended(demanded(webhook.form, "sessionId"), number, channel)


def _plain(text: str) -> Answer:
    return Answer(text.encode(errors="replace"), PLAIN)


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "ussd": Route(read_ussd, write_ussd, ("sessionId", "phoneNumber"), polite),
        "ussd-ended": Route(read_ussd_ended, acknowledge, ("sessionId",)),
        "sms": Route(read_sms, acknowledge, ("id", "from")),
        "sms-report": Route(read_report, acknowledge, ("id", "status")),
        "sms-optout": Route(read_opt_out, acknowledge, ("phoneNumber",)),
        "voice": Route(read_voice, write_voice, ("isActive", "sessionId")),
        "voice-event": Route(read_voice_event, acknowledge),
    }
)
