"""Phones over HTTP: Africa's Talking and Twilio webhooks as each provider sends them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, fromstring

from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.dialogs.direct_line import gathered_keys, parse_dialled_ahead, require_number
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import MessageCollector, PhoneDisplay
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from menus.machine.menu import Menu
from menus.model.reply import Gather
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, GatewaySandbox

FormFields = dict[str, str]
DeliveryMode = Literal["once", "thrice"]


@dataclass(slots=True)
class WebhookSender:
    """Sends webhooks once, or twice concurrently and once more (`thrice`)."""

    client: ClientSession = field(repr=False)
    base: str
    delivery: DeliveryMode = "once"
    last_request: tuple[str, FormFields] | None = None

    async def send_webhook(self, path: str, fields: FormFields) -> str:
        """Send a webhook and return the answer; every repeat must bring the same bytes."""
        self.last_request = path, fields
        answers = (
            [await self._post(path, fields)]
            if self.delivery == "once"
            else await self._post_thrice(path, fields)
        )
        assert len(set(answers)) == 1
        return answers[0].decode()

    async def resend_last(self) -> str:
        """Send the last request again."""
        if self.last_request is None:
            raise DialogError("nothing was sent")
        return await self.send_webhook(*self.last_request)

    async def _post_thrice(self, path: str, fields: FormFields) -> list[bytes]:
        twins = await asyncio.gather(self._post(path, fields), self._post(path, fields))
        return [*twins, await self._post(path, fields)]

    async def _post(self, path: str, fields: FormFields) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, fields)
        headers["X-Twilio-Signature"] = signature
        async with self.client.post(self.base + path, data=urlencode(fields), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@asynccontextmanager
async def connect_webhooks(
    sandbox: GatewaySandbox, firing: DeliveryMode = "once"
) -> AsyncIterator[WebhookSender]:
    """Serve the sandbox's webhooks on loopback and yield a sender to it."""
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port, ClientSession() as client:
        yield WebhookSender(client, f"http://127.0.0.1:{port}", firing)


@dataclass(slots=True)
class _ProviderPhone:
    """What both providers' phones share: one conversation at a time."""

    sender: WebhookSender
    menu: Menu = field(repr=False)
    messages: MessageCollector = field(repr=False)
    session_numbers: Iterator[int] = field(default_factory=lambda: count(1))
    caller: str = ""
    session: str = ""
    channel: str = ""
    ussd_text: str | None = None
    """All answers of a USSD session so far, joined by `*`."""
    display: PhoneDisplay = field(default_factory=PhoneDisplay)
    answer_path: str = ""
    silence_path: str = ""

    def begin_session(self, channel: str, caller: str, prefix: str) -> None:
        self.channel, self.caller = channel, caller
        self.session, self.ussd_text = f"{prefix}{next(self.session_numbers)}", None

    def webhook_path(self, tail: str) -> str:
        raise NotImplementedError

    def remember_display(self, shown: PhoneDisplay) -> PhoneDisplay:
        self.display = shown
        return shown

    def display_voice(self, body: str) -> PhoneDisplay:
        """Parse a voice XML document into what the caller hears."""
        root = fromstring(body)
        asked = next((each for each in root if each.tag in ("GetDigits", "Gather")), None)
        said = tuple("".join(each.itertext()) for each in root.iter("Say"))
        dial = root.find("Dial")
        to = "" if dial is None else dial.get("phoneNumbers", "") or dial.text or ""
        if asked is None:
            return self.remember_display(PhoneDisplay(said, None, to, ends=True))
        self.answer_path = _local_path(asked.get("callbackUrl") or asked.get("action") or "")
        redirect = root.find("Redirect")
        self.silence_path = self.answer_path if redirect is None else _local_path(redirect.text or "")
        return self.remember_display(PhoneDisplay(said, _parse_gather(asked)))


def _local_path(url: str) -> str:
    return url.removeprefix(PUBLIC_URL)


def _parse_gather(asked: Element) -> Gather:
    return Gather(int(asked.get("numDigits", "")), asked.get("finishOnKey", ""), 0, 0)


@dataclass(slots=True)
class AfricasTalkingPhone(_ProviderPhone):
    """A phone behind Africa's Talking: USSD, SMS and voice."""

    def webhook_path(self, tail: str) -> str:
        return f"/hooks/{self.menu.name}/africastalking/{HOOK_TOKEN}/{tail}"

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        self.begin_session("ussd", caller, "ATUid_")
        ahead = parse_dialled_ahead(self.menu, code)
        return await self._send_ussd(ahead)

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        require_number(self.menu.config.numbers.voice, number)
        self.begin_session("voice", caller, "ATVId_")
        return await self._send_voice(self.webhook_path("voice"), {})

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        require_number(self.menu.config.numbers.sms, number)
        self.begin_session("sms", caller, "at-sms-")
        fields = {"from": caller, "to": number, "text": body, "id": self.session, "linkId": ""}
        return self._display_reply(
            await self.sender.send_webhook(self.webhook_path("sms"), fields), await self._collect_reply()
        )

    async def press(self, keys: str) -> PhoneDisplay:
        if self.channel == "sms":
            return await self.send_text(self.caller, self.menu.config.numbers.sms, keys)
        if self.channel == "ussd":
            return await self._send_ussd(f"{self.ussd_text}*{keys}" if self.ussd_text else keys)
        digits = gathered_keys(self.display, keys)
        if digits is None:
            return await self.press_nothing()
        return await self._send_voice(self.answer_path, {"dtmfDigits": digits})

    async def say(self, words: str) -> PhoneDisplay:
        raise DialogError("Africa's Talking hears no speech")

    async def press_nothing(self) -> PhoneDisplay:
        return await self._send_voice(self.silence_path, {})

    async def repeat_last(self) -> PhoneDisplay:
        body = await self.sender.resend_last()
        if self.channel == "voice":
            return self.display_voice(body)
        return (
            self._display_ussd(body)
            if self.channel == "ussd"
            else self._display_reply(body, await self._collect_reply())
        )

    async def hang_up(self) -> None:
        if self.channel == "voice":
            await self._send_voice(self.webhook_path("voice"), {"isActive": "0", "durationInSeconds": "9"})
            return
        ended = {"sessionId": self.session, "phoneNumber": self.caller, "status": "Incomplete"}
        await self.sender.send_webhook(self.webhook_path("ussd-ended"), ended)

    async def _send_ussd(self, text: str) -> PhoneDisplay:
        self.ussd_text = text
        fields = {"sessionId": self.session, "phoneNumber": self.caller, "networkCode": "22610"}
        fields |= {"serviceCode": self.menu.config.numbers.ussd, "text": text}
        return self._display_ussd(await self.sender.send_webhook(self.webhook_path("ussd"), fields))

    def _display_ussd(self, body: str) -> PhoneDisplay:
        verb, _, text = body.partition(" ")
        assert verb in ("CON", "END")
        return self.remember_display(PhoneDisplay(tuple(text.split("\n")), ends=verb == "END"))

    async def _send_voice(self, path: str, more: FormFields) -> PhoneDisplay:
        fields = {"isActive": "1", "sessionId": self.session, "direction": "Inbound"}
        fields |= {"callerNumber": self.caller, "destinationNumber": "+40740000411"}
        body = await self.sender.send_webhook(path, fields | more)
        return self.display_voice(body) if body else PhoneDisplay()

    async def _collect_reply(self) -> str:
        """Take the reply to a text out of the collected messages: it comes by SMS."""
        arrived = await self.messages.collect_new()
        replies = [notice for notice in arrived if notice.key.endswith("/reply") and notice.kind == "reply"]
        self.messages.inbox += [notice for notice in arrived if notice not in replies]
        assert len(replies) < 2
        return replies[0].body if replies else ""

    def _display_reply(self, body: str, reply: str) -> PhoneDisplay:
        assert body == ""
        return self.remember_display(PhoneDisplay(tuple(reply.split("\n")) if reply else ()))


@dataclass(slots=True)
class TwilioPhone(_ProviderPhone):
    """A phone behind Twilio: SMS and voice."""

    def webhook_path(self, tail: str) -> str:
        return f"/hooks/{self.menu.name}/twilio/{tail}"

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        raise DialogError("Twilio offers no USSD")

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        require_number(self.menu.config.numbers.voice, number)
        self.begin_session("voice", caller, "CA")
        return await self._send_voice(self.webhook_path("voice"), {})

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        require_number(self.menu.config.numbers.sms, number)
        self.begin_session("sms", caller, "SM")
        fields = {"MessageSid": self.session, "AccountSid": "AC1", "From": caller, "To": number}
        return self._display_reply(
            await self.sender.send_webhook(self.webhook_path("sms"), fields | {"Body": body, "NumMedia": "0"})
        )

    async def press(self, keys: str) -> PhoneDisplay:
        if self.channel == "sms":
            return await self.send_text(self.caller, self.menu.config.numbers.sms, keys)
        digits = gathered_keys(self.display, keys)
        return await self._send_voice(self.answer_path, {"Digits": digits or "", "FinishedOnKey": ""})

    async def say(self, words: str) -> PhoneDisplay:
        return await self._send_voice(
            self.answer_path, {"SpeechResult": words, "Confidence": "0.9", "Language": "xx"}
        )

    async def press_nothing(self) -> PhoneDisplay:
        return await self._send_voice(self.silence_path, {"Digits": ""})

    async def repeat_last(self) -> PhoneDisplay:
        body = await self.sender.resend_last()
        return self.display_voice(body) if self.channel == "voice" else self._display_reply(body)

    async def hang_up(self) -> None:
        await self._send_voice(
            self.webhook_path("voice-status"), {"CallStatus": "completed", "CallDuration": "9"}
        )

    async def _send_voice(self, path: str, more: FormFields) -> PhoneDisplay:
        fields = {"CallSid": self.session, "AccountSid": "AC1", "From": self.caller or "+266696687"}
        fields |= {"To": "+40740000411", "CallStatus": "in-progress", "Direction": "inbound"}
        return self.display_voice(await self.sender.send_webhook(path, fields | more))

    def _display_reply(self, body: str) -> PhoneDisplay:
        message = fromstring(body).find("Message")
        text = "" if message is None else message.text or ""
        return self.remember_display(PhoneDisplay(tuple(text.split("\n")) if text else ()))
