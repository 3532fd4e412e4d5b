"""A simulated phone behind the SMSC: dials USSD in one dialect, texts, and shows what arrives."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.concatenation import PartAssembler, UserDataHeader, place_of, read_udh
from gateway.smpp.wire.data_coding import CodingRules, decode_text, encode_text
from gateway.smpp.wire.protocol import EsmClass, Tag

_RULES = CodingRules()


@dataclass(frozen=True, slots=True)
class HandsetDialect:
    """What a USSD gateway of one vendor writes for a phone; the gateway's side of a dialect table."""

    name: str = "plain"
    open_operation: int = 1
    reply_operation: int = 18
    end_operation: int = 17
    session: Literal["its", "reference", "none"] = "its"
    end_bit: bool = False
    """Whether the low bit of its_session_info says that the session ends."""
    code_in: Literal["text", "destination"] = "text"


HANDSET_DIALECTS: Mapping[str, HandsetDialect] = {
    "plain": HandsetDialect(),
    "sixdee": HandsetDialect("sixdee", end_operation=0x17, end_bit=True),
    "mica": HandsetDialect("mica", session="reference"),
}
"""By the name `dialtree smsc --dialect` takes."""


class UssdScreen(NamedTuple):
    """What the phone shows, and whether the session ended with it."""

    text: str
    ends: bool


@dataclass(slots=True)
class SmppPhone:
    """One phone; `on_text` is called with each whole SMS it gets."""

    number: str
    smsc: SmscSimulator
    dialect: HandsetDialect = HandsetDialect()
    on_text: Callable[[str, str], None] = lambda _sender, _text: None
    """Called with sender and text."""
    inbox: list[str] = field(default_factory=list)
    _screens: "asyncio.Queue[UssdScreen]" = field(default_factory=asyncio.Queue)
    _assembler: PartAssembler = field(default_factory=PartAssembler)
    _session: int = 0x1200
    _code: str = ""

    def __post_init__(self) -> None:
        self.smsc.on_submit = self.take_submit

    async def dial(self, code: str, seconds: float = 10.0) -> UssdScreen:
        """Dial a USSD code and return the screen; TimeoutError when none comes."""
        self._session = (self._session + 0x100) & 0xFF00 or 0x0100
        self._code = code
        return await self._exchange(code, self.dialect.open_operation, seconds)

    async def answer(self, text: str, seconds: float = 10.0) -> UssdScreen:
        """Type an answer and return the next screen; TimeoutError when none comes."""
        return await self._exchange(text, self.dialect.reply_operation, seconds)

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
        tlvs = {Tag.USSD_SERVICE_OP: bytes([operation])}
        if self.dialect.session == "its":
            tlvs[Tag.ITS_SESSION_INFO] = self._session.to_bytes(2, "big")
        if self.dialect.session == "reference":
            tlvs[Tag.USER_MESSAGE_REFERENCE] = self._session.to_bytes(2, "big")
        in_text = self.dialect.code_in == "text" or operation != self.dialect.open_operation
        encoded = encode_text(text if in_text else "", _RULES)
        return ShortMessage(
            SmppAddress(self.number, 1, 1),
            SmppAddress(self._code, 0, 1),
            encoded.octets,
            15 if encoded.alphabet == "gsm7" else encoded.data_coding,
            service_type="USSD",
            tlvs=tlvs,
        )

    def take_submit(self, message: ShortMessage) -> None:
        """Take what the gateway sent: a screen, or a text in one or several parts."""
        udh = read_udh(message.octets) if message.esm_class & EsmClass.UDH else UserDataHeader()
        octets = message.octets[udh.octets :]
        text = decode_text(octets, message.data_coding, _RULES, udh.octets)
        if Tag.USSD_SERVICE_OP in message.tlvs:
            self._screens.put_nowait(UssdScreen(text, self._ends(message)))
            return
        place = place_of(message, udh)
        whole = text if place is None else self._assembler.add_part(message, place, text, 0.0)
        if whole is not None:
            if place is not None:
                self._assembler.forget_message(message, place)
            self.inbox.append(whole)
            self.on_text(message.source.number, whole)

    def _ends(self, message: ShortMessage) -> bool:
        session = message.tlvs.get(Tag.ITS_SESSION_INFO, b"\0")
        if self.dialect.end_bit and session[-1:] and session[-1] & 1:
            return True
        return message.tlvs[Tag.USSD_SERVICE_OP][:1] == bytes([self.dialect.end_operation])
