"""Phone line over provider webhooks: USSD by Africa's Talking, calls and SMS by Twilio."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote
from xml.etree.ElementTree import Element, fromstring

from gateway.demo.world import HOOK_TOKEN
from gateway.dialogs.direct_line import dialled_ahead, gathered, reached
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import Shown
from gateway.phone.webhook_client import Fields, Wire, local
from menus.machine.menu import Menu
from menus.model.reply import Gather

WITHHELD = "+266696687"
"""What Twilio sends as the number of an anonymous caller (ANONYMOUS on a keypad)."""


@dataclass(slots=True)
class Air:
    """A phone line through the gateway's HTTP webhooks; one USSD session or call is open at a time."""

    wire: Wire
    menu: Menu = field(repr=False)
    numbered: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    """Distinguishes this line's session ids from those of other lines."""
    caller: str = field(default="", repr=False)
    session: str = ""
    channel: str = ""
    heard: str = field(default="", repr=False)
    """All answers of the USSD session, joined by stars as Africa's Talking sends them."""
    shown: Shown = field(default_factory=Shown)
    action: str = ""
    """Path the call's keys are sent to (TwiML `action`)."""

    async def dial(self, caller: str, code: str) -> Shown:
        """Start a USSD session."""
        ahead = dialled_ahead(self.menu, code)
        self._begin("ussd", caller, "ATUid_")
        return await self._ussd(ahead)

    async def call(self, caller: str, number: str) -> Shown:
        """Start a voice call."""
        reached(self.menu.form.numbers.voice, number)
        self._begin("voice", caller, "CA")
        return await self._voice(self._path("twilio", "voice"), {"CallStatus": "ringing"})

    async def text(self, caller: str, number: str, body: str) -> Shown:
        """Send an SMS."""
        reached(self.menu.form.numbers.sms, number)
        self._begin("sms", caller, "SM")
        fields = {"MessageSid": self.session, "AccountSid": "ACdemo", "From": caller, "To": number}
        return self._read(await self.wire.send(self._path("twilio", "sms"), fields | {"Body": body}))

    async def press(self, keys: str) -> Shown:
        """Send keys to the open conversation."""
        if self.channel == "voice":
            return await self._voice(self.action, {"Digits": gathered(self.shown, keys) or ""})
        if self.channel == "sms":
            return await self.text(self.caller, self.menu.form.numbers.sms, keys)
        self._open()
        return await self._ussd(f"{self.heard}*{keys}" if self.heard else keys)

    async def say(self, words: str) -> Shown:
        """Speak words on a call; DialogError on other channels."""
        if self.channel != "voice":
            raise DialogError("only a call hears words")
        return await self._voice(self.action, {"SpeechResult": words, "Confidence": "0.9"})

    async def silence(self) -> Shown:
        """Press nothing on a call; DialogError on other channels."""
        if self.channel != "voice":
            raise DialogError("only a call hears silence")
        return await self._voice(self.action, {"Digits": ""})

    async def again(self) -> Shown:
        """Repeat the last request."""
        return self._read(await self.wire.again())

    async def hang_up(self) -> None:
        """End the conversation and report it by the provider's status webhook."""
        self._open()
        if self.channel == "voice":
            call_fields = {"CallSid": self.session, "AccountSid": "ACdemo", "From": self.caller or WITHHELD}
            path = self._path("twilio", "voice-status")
            await self.wire.send(path, call_fields | {"CallStatus": "completed", "CallDuration": "9"})
        if self.channel == "ussd":
            fields = {"sessionId": self.session, "phoneNumber": self.caller, "status": "Incomplete"}
            await self.wire.send(self._path("africastalking", "ussd-ended"), fields)
        self.channel, self.shown = "", Shown(ends=True)

    def _begin(self, channel: str, caller: str, prefix: str) -> None:
        self.channel, self.caller, self.heard = channel, caller, ""
        self.session = f"{prefix}{self.tag}{next(self.numbered)}"

    def _open(self) -> None:
        if not self.channel:
            raise DialogError("nothing is open; dial, call or text first")

    def _path(self, provider: str, tail: str) -> str:
        token = f"/{HOOK_TOKEN}" if provider == "africastalking" else ""
        return f"/hooks/{self.menu.name}/{provider}{token}/{tail}"

    async def _ussd(self, text: str) -> Shown:
        fields = {"sessionId": self.session, "phoneNumber": self.caller, "networkCode": "99999"}
        fields |= {"serviceCode": self.menu.form.numbers.ussd, "text": text}
        self.heard = text
        return self._read(await self.wire.send(self._path("africastalking", "ussd"), fields))

    async def _voice(self, path: str, more: Fields) -> Shown:
        fields = {"CallSid": self.session, "AccountSid": "ACdemo", "From": self.caller or WITHHELD}
        fields |= {"To": self.menu.form.numbers.voice, "Direction": "inbound", "CallStatus": "in-progress"}
        return self._read(await self.wire.send(path, {**fields, **more}))

    def _read(self, body: str) -> Shown:
        """Parse the response of the open channel into a display."""
        readers = {"ussd": self._read_ussd, "voice": self._heard, "sms": self._texted}
        self.shown = readers[self.channel](body)
        return self.shown

    def _read_ussd(self, body: str) -> Shown:
        verb, _, text = body.partition(" ")
        return Shown(tuple(text.split("\n")), ends=verb == "END")

    def _heard(self, body: str) -> Shown:
        root = fromstring(body)  # noqa: S314 - our own gateway wrote it
        prompts = [self._prompt(each) for each in root.iter() if each.tag in ("Say", "Play")]
        spoken_lines, recordings = tuple(words for words, _ in prompts), tuple(file for _, file in prompts)
        gather, dial = root.find("Gather"), root.find("Dial")
        if gather is None:
            return Shown(
                spoken_lines, None, "" if dial is None else dial.text or "", ends=True, recordings=recordings
            )
        self.action = local(gather.get("action", ""))
        return Shown(spoken_lines, _gather(gather), recordings=recordings)

    def _prompt(self, told: Element) -> tuple[str, str]:
        """Return a prompt's words and the path of its recording, empty for synthesised speech."""
        words = "".join(told.itertext())
        if told.tag == "Say":
            return words, ""
        path = local(words)
        return self.menu.said_by(unquote(path).split("/", 3)[3]), path

    def _texted(self, body: str) -> Shown:
        message = fromstring(body).find("Message")  # noqa: S314 - our own gateway wrote it
        text = "" if message is None else message.text or ""
        return Shown(tuple(text.split("\n")) if text else ())


def _gather(asked: Element) -> Gather:
    return Gather(
        int(asked.get("numDigits", "1")), asked.get("finishOnKey", ""), int(asked.get("timeout", "0")), 0
    )
