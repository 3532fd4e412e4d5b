"""The air: a phone's line through real webhooks; USSD by Africa's Talking, calls and texts by Twilio."""

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
"""ANONYMOUS on a keypad: what Twilio says of a caller without a number."""


@dataclass(slots=True)
class Air:
    """A line; one conversation by USSD or voice is open at a time."""

    wire: Wire
    menu: Menu = field(repr=False)
    numbered: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    """Tells this phone's sessions from every other's."""
    caller: str = field(default="", repr=False)
    session: str = ""
    channel: str = ""
    heard: str = field(default="", repr=False)
    """Everything answered in a USSD session."""
    shown: Shown = field(default_factory=Shown)
    action: str = ""
    """Where a call's keys go."""

    async def dial(self, caller: str, code: str) -> Shown:
        """Begin by USSD."""
        ahead = dialled_ahead(self.menu, code)
        self._begin("ussd", caller, "ATUid_")
        return await self._ussd(ahead)

    async def call(self, caller: str, number: str) -> Shown:
        """Begin by voice."""
        reached(self.menu.form.numbers.voice, number)
        self._begin("voice", caller, "CA")
        return await self._voice(self._path("twilio", "voice"), {"CallStatus": "ringing"})

    async def text(self, caller: str, number: str, body: str) -> Shown:
        """Text a message."""
        reached(self.menu.form.numbers.sms, number)
        self._begin("sms", caller, "SM")
        fields = {"MessageSid": self.session, "AccountSid": "ACdemo", "From": caller, "To": number}
        return self._read(await self.wire.send(self._path("twilio", "sms"), fields | {"Body": body}))

    async def press(self, keys: str) -> Shown:
        """Answer what is asked."""
        if self.channel == "voice":
            return await self._voice(self.action, {"Digits": gathered(self.shown, keys) or ""})
        if self.channel == "sms":
            return await self.text(self.caller, self.menu.form.numbers.sms, keys)
        self._open()
        return await self._ussd(f"{self.heard}*{keys}" if self.heard else keys)

    async def say(self, words: str) -> Shown:
        """Speak."""
        if self.channel != "voice":
            raise DialogError("only a call hears words")
        return await self._voice(self.action, {"SpeechResult": words, "Confidence": "0.9"})

    async def silence(self) -> Shown:
        """Press nothing."""
        if self.channel != "voice":
            raise DialogError("only a call hears silence")
        return await self._voice(self.action, {"Digits": ""})

    async def again(self) -> Shown:
        """The last request once more."""
        return self._read(await self.wire.again())

    async def hang_up(self) -> None:
        """Leave; the network says so."""
        self._open()
        if self.channel == "voice":
            ended = {"CallSid": self.session, "AccountSid": "ACdemo", "From": self.caller or WITHHELD}
            path = self._path("twilio", "voice-status")
            await self.wire.send(path, ended | {"CallStatus": "completed", "CallDuration": "9"})
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
        """Whatever answered, as the phone shows it."""
        readers = {"ussd": self._read_ussd, "voice": self._heard, "sms": self._texted}
        self.shown = readers[self.channel](body)
        return self.shown

    def _read_ussd(self, body: str) -> Shown:
        verb, _, text = body.partition(" ")
        return Shown(tuple(text.split("\n")), ends=verb == "END")

    def _heard(self, body: str) -> Shown:
        root = fromstring(body)  # noqa: S314 - our own gateway wrote it
        prompts = [self._prompt(each) for each in root.iter() if each.tag in ("Say", "Play")]
        said, played = tuple(words for words, _ in prompts), tuple(file for _, file in prompts)
        asked, dial = root.find("Gather"), root.find("Dial")
        if asked is None:
            return Shown(said, None, "" if dial is None else dial.text or "", ends=True, recordings=played)
        self.action = local(asked.get("action", ""))
        return Shown(said, _gather(asked), recordings=played)

    def _prompt(self, told: Element) -> tuple[str, str]:
        """What is heard in words, and where the recording is that says it."""
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
