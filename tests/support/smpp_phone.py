"""A phone behind an SMSC: USSD in any dialect and SMS, as deliver_sm and submit_sm."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from gateway.dialogs.format import DialogError
from gateway.dialogs.player import MessageCollector, PhoneDisplay
from gateway.providers._smpp.dialect import DialectForm, load_dialects
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.data_coding import CodingRules, decode_text, encode_text
from gateway.smpp.wire.protocol import Tag
from menus.machine.menu import Menu
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.missing_channels import WithoutCalls
from tests.support.smsc_server import SmscServer, pack_number, serve_smsc

RULES = CodingRules()
ANSWER_SECONDS = 30.0


def smpp_settings(port: int, dialect: str = "plain", **more: object) -> dict[str, Any]:
    """Return the settings of a connection to an SMSC on loopback."""
    account = {"host": "127.0.0.1", "port": port, "system_id": "dialtree", "password": "secret"}
    return {**account, "dialect": dialect, **more}


@dataclass(slots=True)
class SmppPhone(WithoutCalls):
    """One conversation at a time, of a subscriber behind an SMSC."""

    smsc: SmscServer = field(repr=False)
    menu: Menu = field(repr=False)
    messages: MessageCollector | None = field(default=None, repr=False)
    dialect: DialectForm = field(default_factory=lambda: load_dialects()["plain"], repr=False)
    session_numbers: Iterator[int] = field(default_factory=lambda: count(0x1200, 0x100))
    caller: str = ""
    session: int = 0
    step: int = 0
    last: ShortMessage | None = None
    channel: str = "ussd"

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Dial the code; what follows it stands in the dialled string."""
        self.caller, self.session, self.step = caller, next(self.session_numbers), 0
        self.channel = "ussd"
        return await self.exchange(self.write_ussd(self.dialect.open[:1] or (1,), code))

    async def press(self, keys: str) -> PhoneDisplay:
        """Send the last answer alone."""
        if self.channel == "sms":
            return await self.send_text(self.caller, self.menu.config.numbers.sms, keys)
        self.step += 1
        return await self.exchange(self.write_ussd(self.dialect.reply[:1] or (18,), keys))

    async def repeat_last(self) -> PhoneDisplay:
        """Let the SMSC deliver the last message again."""
        assert self.last is not None
        return await self.exchange(self.last)

    async def hang_up(self) -> None:
        """End the session as the dialect reports it."""
        if not self.dialect.abort:
            raise DialogError("this dialect reports no end")
        connection = await self.smsc.bound()
        assert await connection.deliver(self.write_ussd(self.dialect.abort[:1], "")) == 0

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        """Send an SMS; the reply comes by the outbox."""
        self.channel, self.caller = "sms", caller
        connection = await self.smsc.bound()
        assert await connection.deliver(self.write_sms(caller, number, body)) == 0
        return await self.collect_reply()

    async def collect_reply(self) -> PhoneDisplay:
        """Return the reply to a text, taken out of the collected messages."""
        assert self.messages is not None
        arrived = await self.messages.collect_new()
        replies = [each for each in arrived if each.key.endswith("/reply") and each.kind == "reply"]
        self.messages.inbox += [each for each in arrived if each not in replies]
        assert len(replies) < 2
        return PhoneDisplay(tuple(replies[0].body.split("\n")) if replies else ())

    def write_ussd(self, operation: tuple[int, ...], text: str) -> ShortMessage:
        """Write a USSD message of the phone; the text is in GSM-7, or in UCS-2 where it must be."""
        encoded = encode_text(text, RULES)
        tlvs = {
            Tag.USSD_SERVICE_OP: bytes(operation[:1]),
            Tag.ITS_SESSION_INFO: pack_number(self.its_number),
            Tag.USER_MESSAGE_REFERENCE: pack_number(self.session >> 8),
        }
        self.last = ShortMessage(
            SmppAddress(self.caller.removeprefix("+"), 1, 1),
            SmppAddress(self.menu.config.numbers.ussd, 0, 1),
            encoded.octets,
            encoded.data_coding,
            service_type="USSD",
            tlvs=tlvs,
        )
        return self.last

    @property
    def its_number(self) -> int:
        """Return its_session_info of the next message: the bits outside the dialect's mask count the steps."""
        moving = ~self.dialect.mask & 0xFFFE
        return self.session | (2 * self.step & moving)

    def write_sms(self, caller: str, number: str, body: str) -> ShortMessage:
        """Write a text of the phone."""
        encoded = encode_text(body, RULES)
        self.last = ShortMessage(
            SmppAddress(caller.removeprefix("+"), 1, 1),
            SmppAddress(number, 0, 1),
            encoded.octets,
            encoded.data_coding,
        )
        return self.last

    async def exchange(self, message: ShortMessage) -> PhoneDisplay:
        """Deliver a message and return the screen that is submitted for it."""
        connection = await self.smsc.bound()
        assert await connection.deliver(message) == 0
        return await self.read_screen()

    async def read_screen(self) -> PhoneDisplay:
        """Return the next screen of this phone; whether it is the last its operation and its session say."""
        async with asyncio.timeout(ANSWER_SECONDS):
            screen = await self.smsc.submits.get()
        assert screen.destination.number == self.caller.removeprefix("+")
        ends = self.is_last_screen(screen.tlvs)
        text = decode_text(screen.octets, screen.data_coding, RULES)
        return PhoneDisplay(tuple(text.split("\n")), ends=ends)

    def is_last_screen(self, tlvs: Mapping[int, bytes]) -> bool:
        operation, form = tlvs[Tag.USSD_SERVICE_OP][0], self.dialect
        assert operation in (form.go_on, form.end)
        if form.go_on != form.end:
            return operation == form.end
        return int.from_bytes(tlvs[Tag.ITS_SESSION_INFO], "big") != self.its_number


@asynccontextmanager
async def hold_links(sandbox: GatewaySandbox) -> AsyncIterator[None]:
    """Hold the sandbox's links during the block, then drain them."""
    running = asyncio.create_task(sandbox.container.links.run())
    try:
        yield
    finally:
        sandbox.container.links.stop()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def connect_smpp(
    sandboxes: SandboxFactory,
    dialect: str = "plain",
    operator: str = "orange-ro",
    more: dict[str, Any] | None = None,
    **sandbox_arguments: Any,
) -> AsyncIterator[tuple[SmppPhone, GatewaySandbox]]:
    """Open a sandbox whose operator has a link to an SMSC, and yield a phone behind that SMSC."""
    async with serve_smsc() as smsc:
        settings = {"operators": {operator: {"smpp": smpp_settings(smsc.port, dialect), **(more or {})}}}
        async with (
            sandboxes.open(operator=operator, more=settings, **sandbox_arguments) as sandbox,
            hold_links(sandbox),
        ):
            await smsc.bound()
            form = load_dialects()[dialect]
            yield SmppPhone(smsc, sandbox.menu, sandbox.messages, form), sandbox
