"""The direct line: a phone without a network, straight into the conversations."""

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
    """A phone of one operator. `trust` is, per channel, what its network proves about a caller."""

    conversations: Conversations = field(repr=False)
    menu: Menu = field(repr=False)
    trust: Mapping[str, str]
    name: str = NAME
    """What its session ids begin with: two phones of one world must not share any, or one's requests
    would count as repeats of the other's."""
    numbered: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    last: Inbound | None = field(default=None, repr=False)
    reply: Reply | None = field(default=None, repr=False)

    async def dial(self, caller: str, code: str) -> Shown:
        """Begin by USSD; what follows the operator's code is dialled ahead."""
        ahead = dialled_ahead(self.menu, code)
        return await self._sent(self._begun("ussd", caller, ahead))

    async def call(self, caller: str, number: str) -> Shown:
        """Begin by voice."""
        reached(self.menu.form.numbers.voice, number)
        return await self._sent(self._begun("voice", caller, ""))

    async def text(self, caller: str, number: str, body: str) -> Shown:
        """Text a message."""
        reached(self.menu.form.numbers.sms, number)
        message = self._begun("sms", caller, body)
        return await self._sent(replace(message, session_id="", hop=message.session_id))

    async def press(self, keys: str) -> Shown:
        """Answer in the open conversation."""
        last = self._open()
        if last.channel == "sms":
            return await self.text(last.caller, self.menu.form.numbers.sms, keys)
        if last.channel == "ussd":
            return await self._sent(replace(last, text=f"{last.text}*{keys}" if self._asked() else keys))
        return await self._sent(replace(last, text=gathered(self.reply, keys), hop=str(self._turn())))

    async def say(self, words: str) -> Shown:
        """Speak: only a call hears that."""
        last = self._called("words; write what is pressed after `>`")
        return await self._sent(replace(last, text=words, hop=str(self._turn()), spoken=True))

    async def silence(self) -> Shown:
        """Press nothing: only a call hears that."""
        last = self._called("silence; write `hang up`")
        return await self._sent(replace(last, text=None, hop=str(self._turn())))

    async def again(self) -> Shown:
        """The last request once more."""
        return await self._sent(self._open())

    async def hang_up(self) -> None:
        """Leave: the session is forgotten, as when a network says so."""
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
        """Has anything been answered yet? The first answer stands without a star."""
        return self._turn() > 1 or bool(self._open().text)

    def _turn(self) -> int:
        return self.reply.turn if self.reply else 0


def dialled_ahead(menu: Menu, code: str) -> str:
    """What a code carries behind the operator's own; DialogError when it is another's."""
    own = menu.form.numbers.ussd.removesuffix("#")
    if code != f"{own}#" and not code.startswith(f"{own}*"):
        raise DialogError(f"{menu.name} answers {own}#; write `dial {own}#`")
    return code.removeprefix(own).removesuffix("#").removeprefix("*")


def reached(own: str, number: str) -> None:
    """Is this the operator's number? DialogError when it is not."""
    if number != own:
        raise DialogError(f"nobody answers {number}; write {own}")


def gathered(reply: Reply | Shown | None, keys: str) -> str | None:
    """The keys as a provider hands them on: without the key that ends them; None when nothing is left."""
    gather = reply.gather if reply else None
    return keys.removesuffix(gather.finish if gather else "") or None


def _written(reply: Reply | None) -> bytes:
    return json.dumps(asdict(reply) if reply else None, ensure_ascii=False).encode()


def _read(body: bytes) -> Reply:
    told = json.loads(body)
    told["prompts"] = tuple(Prompt(**prompt) for prompt in told["prompts"])
    told["gather"] = Gather(**told["gather"]) if told["gather"] else None
    return Reply(**told)
