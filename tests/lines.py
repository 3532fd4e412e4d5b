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

from gateway.dialogs.direct_line import dialled_ahead, gathered, reached
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import Post, Shown
from gateway.http.listening import listening
from gateway.server.app import public
from menus.machine.menu import Menu
from menus.model.reply import Gather
from tests.world import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, World

Fields = dict[str, str]
Firing = Literal["once", "thrice"]


@dataclass(slots=True)
class Wire:
    """Sends webhooks once, or twice concurrently and once more (`thrice`)."""

    client: ClientSession = field(repr=False)
    base: str
    firing: Firing = "once"
    last: tuple[str, Fields] | None = None

    async def send(self, path: str, fields: Fields) -> str:
        """Send a webhook and return the answer; every repeat must bring the same bytes."""
        self.last = path, fields
        answers = (
            [await self._post(path, fields)] if self.firing == "once" else await self._thrice(path, fields)
        )
        assert len(set(answers)) == 1
        return answers[0].decode()

    async def again(self) -> str:
        """Send the last request again."""
        if self.last is None:
            raise DialogError("nothing was sent")
        return await self.send(*self.last)

    async def _thrice(self, path: str, fields: Fields) -> list[bytes]:
        twins = await asyncio.gather(self._post(path, fields), self._post(path, fields))
        return [*twins, await self._post(path, fields)]

    async def _post(self, path: str, fields: Fields) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, fields)
        headers["X-Twilio-Signature"] = signature
        async with self.client.post(self.base + path, data=urlencode(fields), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@asynccontextmanager
async def wired(sandbox: World, firing: Firing = "once") -> AsyncIterator[Wire]:
    """Serve the sandbox's webhooks on loopback and yield a sender to it."""
    async with listening(public(sandbox.house), "127.0.0.1", 0) as port, ClientSession() as client:
        yield Wire(client, f"http://127.0.0.1:{port}", firing)


@dataclass(slots=True)
class _Phone:
    """What both providers' phones share: one conversation at a time."""

    wire: Wire
    menu: Menu = field(repr=False)
    post: Post = field(repr=False)
    numbered: Iterator[int] = field(default_factory=lambda: count(1))
    caller: str = ""
    session: str = ""
    channel: str = ""
    heard: str | None = None
    """All answers of a USSD session so far, joined by `*`."""
    shown: Shown = field(default_factory=Shown)
    answer_to: str = ""
    silent_to: str = ""

    def begin(self, channel: str, caller: str, prefix: str) -> None:
        self.channel, self.caller = channel, caller
        self.session, self.heard = f"{prefix}{next(self.numbered)}", None

    def path(self, tail: str) -> str:
        raise NotImplementedError

    def keep(self, shown: Shown) -> Shown:
        self.shown = shown
        return shown

    def heard_in(self, body: str) -> Shown:
        """Parse a voice XML document into what the caller hears."""
        root = fromstring(body)
        asked = next((each for each in root if each.tag in ("GetDigits", "Gather")), None)
        said = tuple("".join(each.itertext()) for each in root.iter("Say"))
        dial = root.find("Dial")
        to = "" if dial is None else dial.get("phoneNumbers", "") or dial.text or ""
        if asked is None:
            return self.keep(Shown(said, None, to, ends=True))
        self.answer_to = _local(asked.get("callbackUrl") or asked.get("action") or "")
        redirect = root.find("Redirect")
        self.silent_to = self.answer_to if redirect is None else _local(redirect.text or "")
        return self.keep(Shown(said, _gather(asked)))


def _local(url: str) -> str:
    return url.removeprefix(PUBLIC_URL)


def _gather(asked: Element) -> Gather:
    return Gather(int(asked.get("numDigits", "")), asked.get("finishOnKey", ""), 0, 0)


@dataclass(slots=True)
class OverAfricasTalking(_Phone):
    """A phone behind Africa's Talking: USSD, SMS and voice."""

    def path(self, tail: str) -> str:
        return f"/hooks/{self.menu.name}/africastalking/{HOOK_TOKEN}/{tail}"

    async def dial(self, caller: str, code: str) -> Shown:
        self.begin("ussd", caller, "ATUid_")
        ahead = dialled_ahead(self.menu, code)
        return await self._ussd(ahead)

    async def call(self, caller: str, number: str) -> Shown:
        reached(self.menu.form.numbers.voice, number)
        self.begin("voice", caller, "ATVId_")
        return await self._voice(self.path("voice"), {})

    async def text(self, caller: str, number: str, body: str) -> Shown:
        reached(self.menu.form.numbers.sms, number)
        self.begin("sms", caller, "at-sms-")
        fields = {"from": caller, "to": number, "text": body, "id": self.session, "linkId": ""}
        return self._texted(await self.wire.send(self.path("sms"), fields), await self._reply())

    async def press(self, keys: str) -> Shown:
        if self.channel == "sms":
            return await self.text(self.caller, self.menu.form.numbers.sms, keys)
        if self.channel == "ussd":
            return await self._ussd(f"{self.heard}*{keys}" if self.heard else keys)
        digits = gathered(self.shown, keys)
        if digits is None:
            return await self.silence()
        return await self._voice(self.answer_to, {"dtmfDigits": digits})

    async def say(self, words: str) -> Shown:
        raise DialogError("Africa's Talking hears no speech")

    async def silence(self) -> Shown:
        return await self._voice(self.silent_to, {})

    async def again(self) -> Shown:
        body = await self.wire.again()
        if self.channel == "voice":
            return self.heard_in(body)
        return self._read(body) if self.channel == "ussd" else self._texted(body, await self._reply())

    async def hang_up(self) -> None:
        if self.channel == "voice":
            await self._voice(self.path("voice"), {"isActive": "0", "durationInSeconds": "9"})
            return
        ended = {"sessionId": self.session, "phoneNumber": self.caller, "status": "Incomplete"}
        await self.wire.send(self.path("ussd-ended"), ended)

    async def _ussd(self, text: str) -> Shown:
        self.heard = text
        fields = {"sessionId": self.session, "phoneNumber": self.caller, "networkCode": "22610"}
        fields |= {"serviceCode": self.menu.form.numbers.ussd, "text": text}
        return self._read(await self.wire.send(self.path("ussd"), fields))

    def _read(self, body: str) -> Shown:
        verb, _, text = body.partition(" ")
        assert verb in ("CON", "END")
        return self.keep(Shown(tuple(text.split("\n")), ends=verb == "END"))

    async def _voice(self, path: str, more: Fields) -> Shown:
        fields = {"isActive": "1", "sessionId": self.session, "direction": "Inbound"}
        fields |= {"callerNumber": self.caller, "destinationNumber": "+40740000411"}
        body = await self.wire.send(path, fields | more)
        return self.heard_in(body) if body else Shown()

    async def _reply(self) -> str:
        """Take the reply to a text out of the collected messages: it comes by SMS."""
        arrived = await self.post.collect()
        replies = [notice for notice in arrived if notice.key.endswith("/reply") and notice.kind == "reply"]
        self.post.arrived += [notice for notice in arrived if notice not in replies]
        assert len(replies) < 2
        return replies[0].body if replies else ""

    def _texted(self, body: str, reply: str) -> Shown:
        assert body == ""
        return self.keep(Shown(tuple(reply.split("\n")) if reply else ()))


@dataclass(slots=True)
class OverTwilio(_Phone):
    """A phone behind Twilio: SMS and voice."""

    def path(self, tail: str) -> str:
        return f"/hooks/{self.menu.name}/twilio/{tail}"

    async def dial(self, caller: str, code: str) -> Shown:
        raise DialogError("Twilio offers no USSD")

    async def call(self, caller: str, number: str) -> Shown:
        reached(self.menu.form.numbers.voice, number)
        self.begin("voice", caller, "CA")
        return await self._voice(self.path("voice"), {})

    async def text(self, caller: str, number: str, body: str) -> Shown:
        reached(self.menu.form.numbers.sms, number)
        self.begin("sms", caller, "SM")
        fields = {"MessageSid": self.session, "AccountSid": "AC1", "From": caller, "To": number}
        return self._texted(await self.wire.send(self.path("sms"), fields | {"Body": body, "NumMedia": "0"}))

    async def press(self, keys: str) -> Shown:
        if self.channel == "sms":
            return await self.text(self.caller, self.menu.form.numbers.sms, keys)
        digits = gathered(self.shown, keys)
        return await self._voice(self.answer_to, {"Digits": digits or "", "FinishedOnKey": ""})

    async def say(self, words: str) -> Shown:
        return await self._voice(self.answer_to, {"SpeechResult": words, "Confidence": "0.9", "Language": "xx"})

    async def silence(self) -> Shown:
        return await self._voice(self.silent_to, {"Digits": ""})

    async def again(self) -> Shown:
        body = await self.wire.again()
        return self.heard_in(body) if self.channel == "voice" else self._texted(body)

    async def hang_up(self) -> None:
        await self._voice(self.path("voice-status"), {"CallStatus": "completed", "CallDuration": "9"})

    async def _voice(self, path: str, more: Fields) -> Shown:
        fields = {"CallSid": self.session, "AccountSid": "AC1", "From": self.caller or "+266696687"}
        fields |= {"To": "+40740000411", "CallStatus": "in-progress", "Direction": "inbound"}
        return self.heard_in(await self.wire.send(path, fields | more))

    def _texted(self, body: str) -> Shown:
        message = fromstring(body).find("Message")
        text = "" if message is None else message.text or ""
        return self.keep(Shown(tuple(text.split("\n")) if text else ()))
