"""A GSM phone and its base station in one: attaches, dials USSD codes and answers menus through a real MSC.

3GPP TS 48.008 (BSSMAP), 24.008 (mobility management), 24.080 (USSD).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from gateway.gsup.ussd_component import (
    ComponentType,
    UssdComponent,
    UssdOperation,
    decode_component,
    encode_component,
)
from gateway.gsup.ussd_text import decode_ussd_text, encode_ussd_text
from tests.reach.signalling import (
    ANSWER_SECONDS,
    SccpType,
    SignallingLink,
    optional_data,
    variable_part,
    with_length,
)
from tests.support.vlr_peer import ShownText

NETWORK, AREA, CELL = bytes.fromhex("09f107"), b"\0\x17", b"\0\x2a"
"""Mobile network 901-70, location area and cell of the base station."""
RESET, RESET_ANSWER = bytes.fromhex("000430040120"), bytes.fromhex("000131")
RESET_SECONDS, RESET_INTERVAL_SECONDS = 60.0, 2.0
CLEAR_COMMAND, CLEAR_COMPLETE = 0x20, b"\0\1\x21"
BSSMAP, DTAP = 0, 1
CLASSMARK_1, CLASSMARK_2 = b"\x33", bytes.fromhex("3319a2")
MOBILITY, USSD = 5, 0x0B
"""Protocol discriminators (24.007, 11.2.3.1.1)."""
IDENTITY_REQUEST, TMSI_COMMAND, SERVICE_ACCEPTED = b"\x05\x18", b"\x05\x02", b"\x05\x21"
USSD_SERVICE = 8
REGISTER, FACILITY, RELEASE_COMPLETE = 0x3B, 0x3A, 0x2A
FACILITY_ELEMENT, SECOND_PHASE = 0x1C, b"\x7f\x01\x00"
OUR_TRANSACTION = 0x10


def encode_identity(imsi: str) -> bytes:
    """Return an IMSI as a mobile identity: odd number of digits, two to an octet, the low half first."""
    digits = [int(each) for each in imsi]
    pairs = zip(digits[1::2], digits[2::2], strict=True)
    return bytes([digits[0] << 4 | 9, *(high << 4 | low for low, high in pairs)])


@dataclass(slots=True)
class GsmPhone:
    """One phone with one connection to the MSC at a time."""

    link: SignallingLink = field(repr=False)
    imsi: str
    references: "count[int]" = field(default_factory=lambda: count(0x0101))
    reference: bytes = b""
    peer: bytes = b""
    sequence: int = 0
    """N(SD): a bit that alternates, or the MSC takes a message for a repeat."""
    invoke_id: int = 0

    async def reset(self) -> None:
        """Tell the MSC that the base station begins, until it answers: it may not be connected itself yet."""
        async with asyncio.timeout(RESET_SECONDS):
            answered = asyncio.create_task(self.read_reset_answer())
            while not answered.done():
                self.link.send_unit(RESET)
                await asyncio.wait({answered}, timeout=RESET_INTERVAL_SECONDS)

    async def read_reset_answer(self) -> None:
        """Return when the MSC is heard: it answers the reset, or resets us, which is answered."""
        while (message := await self.link.read_sccp())[0] != SccpType.UNIT:
            pass
        self.read_data(message)

    async def attach(self) -> None:
        """Register with the network (location update)."""
        area = bytes([MOBILITY, 8, 0x70]) + NETWORK + AREA
        self.connect(area + CLASSMARK_1 + with_length(encode_identity(self.imsi)))
        while (message := await self.read_layer3()) is not None:
            if message[:2] == IDENTITY_REQUEST:
                self.send(b"\x05\x19" + with_length(encode_identity(self.imsi)))
            elif message[:2] == TMSI_COMMAND:
                self.send(b"\x05\x1b")

    async def dial(self, code: str) -> ShownText:
        """Dial a code and return what the phone shows."""
        request = bytes([MOBILITY, 0x24, 0x70 | USSD_SERVICE]) + with_length(CLASSMARK_2)
        self.connect(request + with_length(encode_identity(self.imsi)))
        while (await self.read_layer3() or b"")[:2] != SERVICE_ACCEPTED:
            pass
        component = self.write_component(ComponentType.INVOKE, 1, UssdOperation.PROCESS_REQUEST, code)
        facility = bytes([FACILITY_ELEMENT]) + with_length(component)
        self.send(bytes([OUR_TRANSACTION | USSD, REGISTER]) + facility + SECOND_PHASE)
        return await self.read_screen()

    async def press(self, keys: str) -> ShownText:
        """Answer the menu and return the next one."""
        component = self.write_component(
            ComponentType.RETURN_RESULT, self.invoke_id, UssdOperation.REQUEST, keys
        )
        self.send(bytes([OUR_TRANSACTION | USSD, FACILITY]) + with_length(component))
        return await self.read_screen()

    def write_component(self, kind: ComponentType, invoke_id: int, operation: int, text: str) -> bytes:
        coding, octets = encode_ussd_text(text)
        return encode_component(UssdComponent(kind, invoke_id, operation, coding, octets))

    async def read_screen(self) -> ShownText:
        """Return the next text; the last one comes with the end of the transaction."""
        while (message := await self.read_layer3()) is not None:
            kind = message[1] & 0x3F
            if message[0] & 0x0F != USSD or kind not in (FACILITY, RELEASE_COMPLETE):
                continue
            facility = message[3:] if kind == FACILITY else message[4:]
            component = decode_component(facility)
            self.invoke_id = component.invoke_id
            text = decode_ussd_text(component.octets, component.data_coding)
            if kind == RELEASE_COMPLETE:
                await self.read_until_cleared()
            return ShownText(text, ends=kind == RELEASE_COMPLETE)
        raise AssertionError("the network ended the session without a text")

    async def read_until_cleared(self) -> None:
        while await self.read_layer3() is not None:
            pass

    def connect(self, layer3: bytes) -> None:
        """Open a connection to the MSC with a first message."""
        self.reference, self.sequence = next(self.references).to_bytes(3, "big"), 0
        cell = b"\x05\x08\0" + NETWORK + AREA + CELL
        complete = b"\x57" + cell + b"\x17" + with_length(layer3)
        self.link.open_connection(self.reference, bytes([BSSMAP]) + with_length(complete))

    def send(self, layer3: bytes) -> None:
        """Send a message of the phone."""
        self.sequence ^= 0x40
        numbered = layer3[:1] + bytes([layer3[1] & 0x3F | self.sequence]) + layer3[2:]
        self.link.send_data(self.peer, bytes([DTAP, 0]) + with_length(numbered))

    async def read_layer3(self) -> bytes | None:
        """Return the next message to the phone; None when the connection is over."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                message = await self.link.read_sccp()
                if message[0] in (SccpType.REFUSED, SccpType.RELEASED):
                    self.release(message)
                    return None
                data = self.read_data(message)
                if data[:1] == bytes([DTAP]):
                    return data[3:]
                if data[2:3] == bytes([CLEAR_COMMAND]):
                    self.link.send_data(self.peer, CLEAR_COMPLETE)

    def read_data(self, message: bytes) -> bytes:
        """Return the data a message brings; of a confirmation the MSC's reference is remembered."""
        if message[0] == SccpType.CONFIRM:
            self.peer = message[4:7]
            return optional_data(message, 8)
        if message[0] == SccpType.UNIT:
            data = variable_part(message, 4)
            if data[2:3] == b"\x30":  # the MSC resets us, too
                self.link.send_unit(RESET_ANSWER)
            return b""
        return variable_part(message, 5) if message[0] == SccpType.DATA_FORM else b""

    def release(self, message: bytes) -> None:
        if message[0] == SccpType.RELEASED:
            self.link.send_sccp(bytes([SccpType.RELEASE_COMPLETE]) + message[4:7] + message[1:4])


@asynccontextmanager
async def switch_on(imsi: str, host: str, port: int) -> AsyncIterator[GsmPhone]:
    """Switch a phone on at a base station that is connected to this signalling router."""
    reader, writer = await asyncio.open_connection(host, port)
    link = SignallingLink(reader, writer)
    try:
        await link.register()
        phone = GsmPhone(link, imsi)
        await phone.reset()
        await phone.attach()
        yield phone
    finally:
        writer.close()
