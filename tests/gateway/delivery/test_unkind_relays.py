"""SMTP sender against unkind relays: silent, old, without TLS, or refusing us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.policy import default

import pytest

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.failures import Failure, Misconfigured, Rejected, TooLarge, TryLater
from flows.domain.records import OutboundMessage
from gateway.delivery import smtp
from gateway.delivery.mail.mail_address import parse_mail_address, parse_sender
from gateway.delivery.route import CALL_TIMEOUT_SECONDS, RouteProvider
from gateway.delivery.smtp import SmtpSender, parse_smtp_url
from tests.support.databases import NOW

NOTICE = OutboundMessage(
    "k", "orange-ro", "ana@example.net", "email", "notice", "Bună\n.\nziua", "ro", "Factură"
)
SILENCE = ""


@dataclass
class UnkindRelay:
    """SMTP relay that answers each command with a line of its own, or not at all."""

    replies: dict[str, str]
    extensions: tuple[str, ...] = ()
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    port: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say(writer, self.replies.get("GREETING", "220 relay.example"))
            while line := await reader.readline():
                await self._answer(line.decode().strip(), reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.closed.set()

    async def _answer(self, command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.commands.append(command)
        verb = command.split()[0]
        ehlo = "\r\n".join([f"250-{each}" for each in ("relay.example", *self.extensions)] + ["250 HELP"])
        usual = {"EHLO": ehlo, "DATA": "354 go on"}.get(verb, "250 OK")
        await self._say(writer, self.replies.get(verb, usual))
        if verb == "DATA" and self.replies.get(verb, usual).startswith("354"):
            self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
            await self._say(writer, self.replies.get("TEXT", "250 taken"))

    async def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
        if reply != SILENCE:
            writer.write(f"{reply}\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def run_relay(*extensions: str, **replies: str) -> AsyncIterator[UnkindRelay]:
    relay = UnkindRelay(replies, extensions)
    server = await asyncio.start_server(relay.talk, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    async with server:
        yield relay
        await relay.closed.wait()


def sender_to(relay: UnkindRelay, url: str = "smtp://127.0.0.1", deadline_seconds: float = 5.0) -> SmtpSender:
    account = parse_smtp_url(f"{url}:{relay.port}", '"Orange, Facturi" <facturi@orange.example>')
    return SmtpSender(account, deadline_seconds, lambda: NOW)


@pytest.mark.parametrize("command", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_silence_before_the_text_means_that_nothing_left(command: str) -> None:
    async with run_relay(**{command: SILENCE}) as relay:
        with pytest.raises(TryLater):
            await sender_to(relay, deadline_seconds=0.2).send(NOTICE)
    assert relay.contents == []


async def test_a_sender_has_less_time_than_its_route_gives_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert smtp.DEADLINE_SECONDS < CALL_TIMEOUT_SECONDS
    monkeypatch.setattr(smtp, "DEADLINE_SECONDS", 0.2)
    async with run_relay(GREETING=SILENCE) as relay:
        with pytest.raises(TryLater):
            await sender_to(relay, deadline_seconds=3600).send(NOTICE)


@pytest.mark.parametrize("greeting", ["554 5.7.1 client host blocked", "550 go away"])
async def test_a_relay_that_refuses_us_pauses_the_route(
    greeting: str, caplog: pytest.LogCaptureFixture
) -> None:
    breaker = CircuitBreaker("orange-ro/email/smtp", lambda: NOW)
    async with run_relay(GREETING=greeting) as relay:
        (outcome,) = await RouteProvider(sender_to(relay), breaker).send([NOTICE])
    assert isinstance(outcome, Misconfigured) and breaker.probe_at is not None
    assert caplog.records[0].message == "delivery.sender_refused"


async def test_a_greylisting_domain_pauses_nothing() -> None:
    breaker = CircuitBreaker("orange-ro/email/smtp", lambda: NOW)
    async with run_relay(RCPT="450 4.7.1 greylisted, try again") as relay:
        for _ in range(10):
            await RouteProvider(sender_to(relay), breaker).send([NOTICE])
    assert breaker.probe_at is None


async def test_a_mail_has_every_header_it_must_have_and_no_8bit_byte() -> None:
    async with run_relay() as relay:
        await sender_to(relay).send(replace(NOTICE, body="فاتورة\n.\nعربي", language="ar"))
    message = message_from_bytes(relay.contents[0].removesuffix(b".\r\n"), policy=default)
    assert relay.contents[0].isascii() and message["Date"].datetime == NOW
    assert {"From", "To", "Subject", "Message-ID", "MIME-Version"} <= set(message.keys())
    assert message["From"].addresses[0].display_name == "Orange, Facturi"
    assert message.get_content().splitlines() == ["فاتورة", ".", "عربي"]


@pytest.mark.parametrize(
    "subject",
    [
        "Orange România vă confirmă înregistrarea îndeplinită îndeplinită pentru linia 0740***101",
        "x" * 30 + " pentru îndeplinită 79,90 îndeplinită é îndeplinită lei " * 3,
        "plain words " * 12,
        "=?utf-8?q?not_encoded?= 😀" * 9,
    ],
)
async def test_a_long_subject_arrives_with_all_its_spaces(subject: str) -> None:
    async with run_relay() as relay:
        await sender_to(relay).send(replace(NOTICE, subject=subject))
    head = relay.contents[0].partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78 + len("Subject: ")
    assert message_from_bytes(relay.contents[0], policy=default)["Subject"] == " ".join(subject.split())


async def test_a_password_never_leaves_in_clear() -> None:
    async with run_relay("AUTH PLAIN LOGIN") as relay:
        with pytest.raises(Misconfigured):
            await sender_to(relay, "smtp://user:s3cret@127.0.0.1").send(NOTICE)
    assert [each.split()[0] for each in relay.commands] == ["EHLO"]


async def test_nothing_leaves_without_the_tls_that_was_demanded() -> None:
    async with run_relay() as relay:
        with pytest.raises(Misconfigured):
            await sender_to(relay, "smtp+starttls://127.0.0.1").send(NOTICE)
    assert [each.split()[0] for each in relay.commands] == ["EHLO"]


async def test_a_relay_without_ehlo_is_greeted_the_old_way() -> None:
    async with run_relay(EHLO="502 unknown") as relay:
        await sender_to(relay).send(NOTICE)
    assert relay.commands[1].startswith("HELO")


async def test_an_idn_domain_is_written_as_a_labels() -> None:
    async with run_relay() as relay:
        await sender_to(relay).send(replace(NOTICE, to="ion@poștă.example"))
    assert relay.commands[2] == f"RCPT TO:<ion@{'poștă.example'.encode('idna').decode()}>"


@pytest.mark.parametrize(("extensions", "failure"), [((), Rejected), (("SMTPUTF8", "8BITMIME"), None)])
async def test_a_local_part_beyond_ascii_needs_smtputf8(
    extensions: tuple[str, ...], failure: type[Failure] | None
) -> None:
    async with run_relay(*extensions) as relay:
        sending = sender_to(relay).send(replace(NOTICE, to="josé@example.fr"))
        if failure:
            with pytest.raises(failure):
                await sending
            return
        await sending
    assert relay.commands[1].endswith("SMTPUTF8") and "josé@" in relay.commands[2]


@pytest.mark.parametrize(
    "text", ["Orange S.A., Facturi <a@b.example>", "facturi", "a@b, c@d", "a@b c@d", "x <é@b>"]
)
def test_a_from_setting_that_is_not_one_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be one address"):
        parse_sender(text)


@pytest.mark.parametrize("text", ["a@", "@b", "a b@c.example", "a@b\r\nRCPT TO:<c@d>", "a@-b.example", "<a@b>"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        parse_mail_address(text)


async def test_a_mail_above_the_announced_size_is_not_begun() -> None:
    async with run_relay("SIZE 100") as relay:
        with pytest.raises(TooLarge):
            await sender_to(relay).send(NOTICE)
    assert [each.split()[0] for each in relay.commands] == ["EHLO"]


@pytest.mark.parametrize("limit", ["SIZE", "SIZE 0", "SIZE 1000000"])
async def test_a_relay_without_a_limit_is_told_the_size(limit: str) -> None:
    async with run_relay(limit) as relay:
        await sender_to(relay).send(NOTICE)
    assert any(each.startswith("MAIL FROM:") and " SIZE=" in each for each in relay.commands)
