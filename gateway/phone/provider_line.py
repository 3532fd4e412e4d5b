"""Phone line over provider webhooks: USSD by Africa's Talking, calls and SMS by Twilio."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote
from xml.etree.ElementTree import Element, fromstring

from gateway.demo.startup import HOOK_TOKEN
from gateway.dialogs.direct_line import gathered_keys, parse_dialled_ahead, require_number
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.phone.webhook_client import FormFields, WebhookClient, path_and_query
from menus.machine.menu import Menu
from menus.model.reply import Gather

WITHHELD_NUMBER = "+266696687"
"""What Twilio sends as the number of an anonymous caller (ANONYMOUS on a keypad)."""


@dataclass(slots=True)
class ProviderLine:
    """A phone line through the gateway's HTTP webhooks; one USSD session or call is open at a time."""

    client: WebhookClient
    menu: Menu = field(repr=False)
    session_numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    session_tag: str = field(default_factory=lambda: secrets.token_hex(4))
    """Distinguishes this line's session ids from those of other lines."""
    caller: str = field(default="", repr=False)
    session_id: str = ""
    channel: str = ""
    accumulated_text: str = field(default="", repr=False)
    """All answers of the USSD session, joined by stars as Africa's Talking sends them."""
    display: PhoneDisplay = field(default_factory=PhoneDisplay)
    action_path: str = ""
    """Path the call's keys are sent to (TwiML `action`)."""

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Start a USSD session."""
        ahead = parse_dialled_ahead(self.menu, code)
        self._start_session("ussd", caller, "ATUid_")
        return await self._send_ussd(ahead)

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        """Start a voice call."""
        require_number(self.menu.config.numbers.voice, number)
        self._start_session("voice", caller, "CA")
        return await self._send_voice(self._hook_path("twilio", "voice"), {"CallStatus": "ringing"})

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        """Send an SMS."""
        require_number(self.menu.config.numbers.sms, number)
        self._start_session("sms", caller, "SM")
        fields = {"MessageSid": self.session_id, "AccountSid": "ACdemo", "From": caller, "To": number}
        return self._parse_response(
            await self.client.send(self._hook_path("twilio", "sms"), fields | {"Body": body})
        )

    async def press(self, keys: str) -> PhoneDisplay:
        """Send keys to the open conversation."""
        if self.channel == "voice":
            return await self._send_voice(self.action_path, {"Digits": gathered_keys(self.display, keys) or ""})
        if self.channel == "sms":
            return await self.send_text(self.caller, self.menu.config.numbers.sms, keys)
        self._require_open()
        return await self._send_ussd(f"{self.accumulated_text}*{keys}" if self.accumulated_text else keys)

    async def say(self, words: str) -> PhoneDisplay:
        """Speak words on a call; DialogError on other channels."""
        if self.channel != "voice":
            raise DialogError("only a call hears words")
        return await self._send_voice(self.action_path, {"SpeechResult": words, "Confidence": "0.9"})

    async def press_nothing(self) -> PhoneDisplay:
        """Press nothing on a call; DialogError on other channels."""
        if self.channel != "voice":
            raise DialogError("only a call hears silence")
        return await self._send_voice(self.action_path, {"Digits": ""})

    async def repeat_last(self) -> PhoneDisplay:
        """Repeat the last request."""
        return self._parse_response(await self.client.repeat_last())

    async def hang_up(self) -> None:
        """End the conversation and report it by the provider's status webhook."""
        self._require_open()
        if self.channel == "voice":
            call_fields = {
                "CallSid": self.session_id,
                "AccountSid": "ACdemo",
                "From": self.caller or WITHHELD_NUMBER,
            }
            path = self._hook_path("twilio", "voice-status")
            await self.client.send(path, call_fields | {"CallStatus": "completed", "CallDuration": "9"})
        if self.channel == "ussd":
            fields = {"sessionId": self.session_id, "phoneNumber": self.caller, "status": "Incomplete"}
            await self.client.send(self._hook_path("africastalking", "ussd-ended"), fields)
        self.channel, self.display = "", PhoneDisplay(ends=True)

    def _start_session(self, channel: str, caller: str, prefix: str) -> None:
        self.channel, self.caller, self.accumulated_text = channel, caller, ""
        self.session_id = f"{prefix}{self.session_tag}{next(self.session_numbers)}"

    def _require_open(self) -> None:
        if not self.channel:
            raise DialogError("nothing is open; dial, call or text first")

    def _hook_path(self, provider: str, tail: str) -> str:
        token = f"/{HOOK_TOKEN}" if provider == "africastalking" else ""
        return f"/hooks/{self.menu.name}/{provider}{token}/{tail}"

    async def _send_ussd(self, text: str) -> PhoneDisplay:
        fields = {"sessionId": self.session_id, "phoneNumber": self.caller, "networkCode": "99999"}
        fields |= {"serviceCode": self.menu.config.numbers.ussd, "text": text}
        self.accumulated_text = text
        return self._parse_response(await self.client.send(self._hook_path("africastalking", "ussd"), fields))

    async def _send_voice(self, path: str, extra_fields: FormFields) -> PhoneDisplay:
        fields = {"CallSid": self.session_id, "AccountSid": "ACdemo", "From": self.caller or WITHHELD_NUMBER}
        fields |= {"To": self.menu.config.numbers.voice, "Direction": "inbound", "CallStatus": "in-progress"}
        return self._parse_response(await self.client.send(path, {**fields, **extra_fields}))

    def _parse_response(self, body: str) -> PhoneDisplay:
        """Parse the response of the open channel into a display."""
        readers = {"ussd": self._parse_ussd, "voice": self._parse_twiml, "sms": self._parse_sms}
        self.display = readers[self.channel](body)
        return self.display

    def _parse_ussd(self, body: str) -> PhoneDisplay:
        verb, _, text = body.partition(" ")
        return PhoneDisplay(tuple(text.split("\n")), ends=verb == "END")

    def _parse_twiml(self, body: str) -> PhoneDisplay:
        root = fromstring(body)  # noqa: S314 - our own gateway wrote it
        prompts = [self._parse_prompt(each) for each in root.iter() if each.tag in ("Say", "Play")]
        spoken_lines, recordings = tuple(words for words, _ in prompts), tuple(file for _, file in prompts)
        gather, dial = root.find("Gather"), root.find("Dial")
        if gather is None:
            return PhoneDisplay(
                spoken_lines, None, "" if dial is None else dial.text or "", ends=True, recordings=recordings
            )
        self.action_path = path_and_query(gather.get("action", ""))
        return PhoneDisplay(spoken_lines, _parse_gather(gather), recordings=recordings)

    def _parse_prompt(self, element: Element) -> tuple[str, str]:
        """Return a prompt's words and the path of its recording, empty for synthesised speech."""
        words = "".join(element.itertext())
        if element.tag == "Say":
            return words, ""
        path = path_and_query(words)
        return self.menu.recorded_words(unquote(path).split("/", 3)[3]), path

    def _parse_sms(self, body: str) -> PhoneDisplay:
        message = fromstring(body).find("Message")  # noqa: S314 - our own gateway wrote it
        text = "" if message is None else message.text or ""
        return PhoneDisplay(tuple(text.split("\n")) if text else ())


def _parse_gather(element: Element) -> Gather:
    return Gather(
        int(element.get("numDigits", "1")), element.get("finishOnKey", ""), int(element.get("timeout", "0")), 0
    )
