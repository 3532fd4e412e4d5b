"""A simulated phone behind the SMSC: dials USSD in one dialect, texts, and shows what arrives."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.providers._smpp.dialect import DialectForm
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.concatenation import PartAssembler, UserDataHeader, place_of, read_udh
from gateway.smpp.wire.data_coding import CodingRules, decode_text, encode_text
from gateway.smpp.wire.protocol import EsmClass, Tag

_RULES = CodingRules()


_NUMBERED_MASK = 0xFF00
_FIRST_OPERATION, _REPLY_OPERATION = 1, 18
"""PSSR indication and USSR confirm (SMPP 3.4, 5.3.2.44), where a dialect takes any operation."""


class UssdScreen(NamedTuple):
    """What the phone shows, and whether the session ended with it."""

    text: str
    ends: bool


@dataclass(slots=True)
class SmppPhone:
    """One phone; `on_text` is called with each whole SMS it gets."""

    number: str
    smsc: SmscSimulator
    dialect: DialectForm
    on_text: Callable[[str, str], None] = lambda _sender, _text: None
    """Called with sender and text."""
    inbox: list[str] = field(default_factory=list)
    _screens: "asyncio.Queue[UssdScreen]" = field(default_factory=asyncio.Queue)
    _assembler: PartAssembler = field(default_factory=PartAssembler)
    _confirmations: "set[asyncio.Task[int]]" = field(default_factory=set)
    _session: int = 0x1200
    _code: str = ""

    def __post_init__(self) -> None:
        self.smsc.on_submit = self.take_submit

    async def dial(self, code: str, seconds: float = 10.0) -> UssdScreen:
        """Dial a USSD code and return the screen; TimeoutError when none comes."""
        self._session = (self._session + 0x100) & 0xFF00 or 0x0100
        self._code = code
        return await self._exchange(code, next(iter(self.dialect.open), _FIRST_OPERATION), seconds)

    async def answer(self, text: str, seconds: float = 10.0) -> UssdScreen:
        """Type an answer and return the next screen; TimeoutError when none comes."""
        if self.dialect.mask == _NUMBERED_MASK:
            self._session += 2
        return await self._exchange(text, next(iter(self.dialect.reply), _REPLY_OPERATION), seconds)

    async def text(self, service: str, text: str) -> int:
        """Text a short code and return the status the gateway answered."""
        encoded = encode_text(text, _RULES)
        source, destination = SmppAddress(self.number, 1, 1), SmppAddress(service, 3, 0)
        return await self.smsc.deliver(ShortMessage(source, destination, encoded.octets, encoded.data_coding))

    async def _exchange(self, text: str, operation: int, seconds: float) -> UssdScreen:
        async with asyncio.timeout(seconds):
            await self.smsc.deliver(self._build_request(text, operation))
            return await self._screens.get()

    def _build_request(self, text: str, operation: int) -> ShortMessage:
        encoded = encode_text(text, _RULES)
        return ShortMessage(
            SmppAddress(self.number, 1, 1),
            SmppAddress(self._code, 0, 1),
            encoded.octets,
            self.dialect.gsm7_coding if encoded.alphabet == "gsm7" else self.dialect.ucs2_coding,
            service_type=self.dialect.service_type,
            tlvs={Tag.USSD_SERVICE_OP: bytes([operation])} | self._session_tlv(),
        )

    def _session_tlv(self) -> dict[int, bytes]:
        tags = {"its": Tag.ITS_SESSION_INFO, "reference": Tag.USER_MESSAGE_REFERENCE}
        tag = tags.get(self.dialect.session)
        return {} if tag is None else {tag: self._session.to_bytes(2, "big")}

    def take_submit(self, message: ShortMessage) -> None:
        """Take what the gateway sent: a screen, or a text in one or several parts."""
        udh = read_udh(message.octets) if message.esm_class & EsmClass.UDH else UserDataHeader()
        octets = message.octets[udh.octets :]
        text = decode_text(octets, message.data_coding, _RULES, udh.octets)
        if Tag.USSD_SERVICE_OP in message.tlvs:
            self._take_screen(message, text)
            return
        place = place_of(message, udh)
        whole = text if place is None else self._assembler.add_part(message, place, text, 0.0)
        if whole is not None:
            if place is not None:
                self._assembler.forget_message(message, place)
            self.inbox.append(whole)
            self.on_text(message.source.number, whole)

    def _take_screen(self, message: ShortMessage, text: str) -> None:
        """Show a screen; confirm a last one where the dialect's gateway does."""
        screen = UssdScreen(text, self._ends(message))
        self._screens.put_nowait(screen)
        if screen.ends and self.dialect.confirm:
            confirmation = self._build_request("", self.dialect.confirm[0])
            task = asyncio.get_running_loop().create_task(self.smsc.deliver(confirmation))
            self._confirmations.add(task)
            task.add_done_callback(self._confirmations.discard)

    def _ends(self, message: ShortMessage) -> bool:
        """Return whether the gateway said that the session ends, by operation or by its session's number."""
        if self.dialect.end_mark != "none":
            answered = int.from_bytes(message.tlvs.get(Tag.ITS_SESSION_INFO, b""), "big")
            return answered == self._session + 1
        return message.tlvs[Tag.USSD_SERVICE_OP][:1] == bytes([self.dialect.end])
