"""In-process phone line: calls the conversation engine without HTTP or a provider."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from flows.engine.conversation import TurnEngine
from flows.engine.inbound import Inbound
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay, display_reply
from menus.machine.menu import Menu
from menus.model.reply import Reply

PROVIDER_NAME = "dial"


@dataclass(slots=True)
class DirectLine:
    """A phone line of one operator. `trust` says, per channel, what the network proves of a caller."""

    conversations: TurnEngine = field(repr=False)
    menu: Menu = field(repr=False)
    trust: Mapping[str, str]
    session_prefix: str = PROVIDER_NAME
    """Prefix of its session ids. Two lines of one container need different prefixes.

    Otherwise the requests of one would count as repeats of the other's.
    """
    page_size: str = ""
    """Page size of its USSD screens, `128/56`; empty for the channel's own."""
    session_numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    last_request: Inbound | None = field(default=None, repr=False)
    reply: Reply | None = field(default=None, repr=False)

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Start a USSD session; what follows the operator's code is dialled ahead."""
        ahead = parse_dialled_ahead(self.menu, code)
        return await self._send(self._first_request("ussd", caller, ahead))

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        """Start a voice call."""
        require_number(self.menu.config.numbers.voice, number)
        return await self._send(self._first_request("voice", caller, ""))

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        """Send an SMS."""
        require_number(self.menu.config.numbers.sms, number)
        message = self._first_request("sms", caller, body)
        return await self._send(replace(message, session_id="", request_id=message.session_id))

    async def press(self, keys: str) -> PhoneDisplay:
        """Send keys to the open conversation."""
        last = self._require_open()
        if last.channel == "sms":
            return await self.send_text(last.caller, self.menu.config.numbers.sms, keys)
        if last.channel == "ussd":
            return await self._send(replace(last, text=f"{last.text}*{keys}" if self._has_answer() else keys))
        return await self._send(
            replace(last, text=gathered_keys(self.reply, keys), step=str(self._turn_number()))
        )

    async def say(self, words: str) -> PhoneDisplay:
        """Speak words on a call; DialogError on other channels."""
        last = self._require_call("words; write what is pressed after `>`")
        return await self._send(replace(last, text=words, step=str(self._turn_number()), spoken=True))

    async def press_nothing(self) -> PhoneDisplay:
        """Let the input of a call time out; DialogError on other channels."""
        last = self._require_call("silence; write `hang up`")
        return await self._send(replace(last, text=None, step=str(self._turn_number())))

    async def repeat_last(self) -> PhoneDisplay:
        """Repeat the last request unchanged."""
        return await self._send(self._require_open())

    async def hang_up(self) -> None:
        """End the session as a network's end notification does."""
        last = self._require_open()
        await self.conversations.end_session(self.conversations.session_key(last))

    def _first_request(self, channel: Any, caller: str, text: str) -> Inbound:
        numbers = self.menu.config.numbers
        return Inbound(
            provider=PROVIDER_NAME,
            channel=channel,
            operator=self.menu.name,
            session_id=f"{self.session_prefix}-{next(self.session_numbers)}",
            caller=caller,
            address=str(getattr(numbers, channel)),
            text=text,
            accumulated=channel == "ussd",
            trust=self.trust.get(channel, "none"),
            page_size=self.page_size if channel == "ussd" else "",
        )

    async def _send(self, inbound: Inbound) -> PhoneDisplay:
        self.last_request = inbound
        async with await self.conversations.run_turn(inbound) as turn:
            await turn.commit()
        self.reply = turn.reply
        return display_reply(self.reply)

    def _require_open(self) -> Inbound:
        if self.last_request is None:
            raise DialogError("nothing is open; write `dial`, `call` or `text` first")
        return self.last_request

    def _require_call(self, what: str) -> Inbound:
        last = self._require_open()
        if last.channel != "voice":
            raise DialogError(f"only a call hears {what}")
        return last

    def _has_answer(self) -> bool:
        """Return whether anything was answered yet: the first answer is sent without a star."""
        return self._turn_number() > 1 or bool(self._require_open().text)

    def _turn_number(self) -> int:
        return self.reply.turn if self.reply else 0


def parse_dialled_ahead(menu: Menu, code: str) -> str:
    """Return what a USSD code carries after the operator's own code.

    Raises DialogError for another operator's code.
    """
    own = menu.config.numbers.ussd.removesuffix("#")
    if code != f"{own}#" and not code.startswith(f"{own}*"):
        raise DialogError(f"nobody answers {code} here; {menu.name} answers {own}#")
    return code.removeprefix(own).removesuffix("#").removeprefix("*")


def require_number(own: str, number: str) -> None:
    """Raise DialogError if the number is not the operator's own."""
    if number != own:
        raise DialogError(f"nobody answers {number}; write {own}")


def gathered_keys(reply: Reply | PhoneDisplay | None, keys: str) -> str | None:
    """Return the keys as a provider reports them, without the finish key; None if none are left."""
    gather = reply.gather if reply else None
    return keys.removesuffix(gather.finish_key if gather else "") or None
