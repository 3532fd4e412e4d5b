"""In-process phone line: calls the conversation engine without HTTP or a provider."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import Any

from flows.engine.conversation import Conversations
from flows.engine.inbound import Inbound
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import Shown, shown
from menus.machine.menu import Menu
from menus.model.reply import Gather, Prompt, Reply

NAME = "dial"


@dataclass(slots=True)
class Direct:
    """A phone line of one operator. `trust` says, per channel, what the network proves of a caller."""

    conversations: Conversations = field(repr=False)
    menu: Menu = field(repr=False)
    trust: Mapping[str, str]
    name: str = NAME
    """Prefix of its session ids. Two lines of one container need different prefixes.

    Otherwise the requests of one would count as repeats of the other's.
    """
    numbered: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    last: Inbound | None = field(default=None, repr=False)
    reply: Reply | None = field(default=None, repr=False)

    async def dial(self, caller: str, code: str) -> Shown:
        """Start a USSD session; what follows the operator's code is dialled ahead."""
        ahead = dialled_ahead(self.menu, code)
        return await self._sent(self._begun("ussd", caller, ahead))

    async def call(self, caller: str, number: str) -> Shown:
        """Start a voice call."""
        reached(self.menu.form.numbers.voice, number)
        return await self._sent(self._begun("voice", caller, ""))

    async def text(self, caller: str, number: str, body: str) -> Shown:
        """Send an SMS."""
        reached(self.menu.form.numbers.sms, number)
        message = self._begun("sms", caller, body)
        return await self._sent(replace(message, session_id="", hop=message.session_id))

    async def press(self, keys: str) -> Shown:
        """Send keys to the open conversation."""
        last = self._open()
        if last.channel == "sms":
            return await self.text(last.caller, self.menu.form.numbers.sms, keys)
        if last.channel == "ussd":
            return await self._sent(replace(last, text=f"{last.text}*{keys}" if self._asked() else keys))
        return await self._sent(replace(last, text=gathered(self.reply, keys), hop=str(self._turn())))

    async def say(self, words: str) -> Shown:
        """Speak words on a call; DialogError on other channels."""
        last = self._called("words; write what is pressed after `>`")
        return await self._sent(replace(last, text=words, hop=str(self._turn()), spoken=True))

    async def silence(self) -> Shown:
        """Let the input of a call time out; DialogError on other channels."""
        last = self._called("silence; write `hang up`")
        return await self._sent(replace(last, text=None, hop=str(self._turn())))

    async def again(self) -> Shown:
        """Repeat the last request unchanged."""
        return await self._sent(self._open())

    async def hang_up(self) -> None:
        """End the session as a network's end notification does."""
        last = self._open()
        keys = self.conversations.keys
        key = keys.session(last.operator, last.provider, last.channel, last.session_id, last.caller)
        await self.conversations.leave(key)

    def _begun(self, channel: Any, caller: str, text: str) -> Inbound:
        numbers = self.menu.form.numbers
        return Inbound(
            provider=NAME,
            channel=channel,
            operator=self.menu.name,
            session_id=f"{self.name}-{next(self.numbered)}",
            caller=caller,
            address=str(getattr(numbers, channel)),
            text=text,
            accumulated=channel == "ussd",
            trust=self.trust.get(channel, "none"),
        )

    async def _sent(self, inbound: Inbound) -> Shown:
        self.last = inbound
        self.reply = _read(await self.conversations.turn(inbound, _written))
        return shown(self.reply)

    def _open(self) -> Inbound:
        if self.last is None:
            raise DialogError("nothing is open; write `dial`, `call` or `text` first")
        return self.last

    def _called(self, what: str) -> Inbound:
        last = self._open()
        if last.channel != "voice":
            raise DialogError(f"only a call hears {what}")
        return last

    def _asked(self) -> bool:
        """Return whether anything was answered yet: the first answer is sent without a star."""
        return self._turn() > 1 or bool(self._open().text)

    def _turn(self) -> int:
        return self.reply.turn if self.reply else 0


def dialled_ahead(menu: Menu, code: str) -> str:
    """Return what a USSD code carries after the operator's own code.

    Raises DialogError for another operator's code.
    """
    own = menu.form.numbers.ussd.removesuffix("#")
    if code != f"{own}#" and not code.startswith(f"{own}*"):
        raise DialogError(f"{menu.name} answers {own}#; write `dial {own}#`")
    return code.removeprefix(own).removesuffix("#").removeprefix("*")


def reached(own: str, number: str) -> None:
    """Raise DialogError if the number is not the operator's own."""
    if number != own:
        raise DialogError(f"nobody answers {number}; write {own}")


def gathered(reply: Reply | Shown | None, keys: str) -> str | None:
    """Return the keys as a provider reports them, without the finish key; None if none are left."""
    gather = reply.gather if reply else None
    return keys.removesuffix(gather.finish if gather else "") or None


def _written(reply: Reply | None) -> bytes:
    return json.dumps(asdict(reply) if reply else None, ensure_ascii=False).encode()


def _read(body: bytes) -> Reply:
    fields = json.loads(body)
    fields["prompts"] = tuple(Prompt(**prompt) for prompt in fields["prompts"])
    fields["gather"] = Gather(**fields["gather"]) if fields["gather"] else None
    return Reply(**fields)
