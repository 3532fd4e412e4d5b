"""SMTP sender against a real SMTP server: the message written, and what each response means."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope

from flows.domain.failures import Failure, Misconfigured, NotNow, OutcomeUnknown, Rejected, TooLarge, TryLater
from flows.domain.records import OutboundMessage
from gateway.delivery.smtp import SmtpSender, parse_smtp_url
from tests.support.smtp_mailbox import serve_smtp

NOTICE = OutboundMessage(
    "turn 7/é", "orange-ro", "ana@example.net", "email", "notice", "Factura: 79,90 lei\n.\nȘtiți", "ro",
    subject="Factură\r\nBcc: all@example.net",
)  # fmt: skip


@dataclass
class FakeSmtpServer:
    """SMTP server that accepts mail, or answers a command as told."""

    answers: dict[str, str] = field(default_factory=dict)
    received_envelopes: list[Envelope] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.answers.get("DATA") == "drop":
            server.transport.close()
        if self.answers.get("DATA") == "hang":
            await asyncio.Event().wait()
        self.received_envelopes.append(envelope)
        return self.answers.get("DATA", "250 OK")


@contextlib.asynccontextmanager
async def run_smtp_server(**answers: str) -> AsyncIterator[FakeSmtpServer]:
    made = FakeSmtpServer(answers)
    async with serve_smtp(made) as made.port:
        yield made


def smtp_sender(port: int, seconds: float = 5.0) -> SmtpSender:
    return SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}", "Orange <no-reply@gw.example.net>"), seconds)


async def test_a_notice_arrives_as_it_was_written() -> None:
    async with run_smtp_server() as made:
        sent = await smtp_sender(made.port).send(NOTICE)
    (envelope,) = made.received_envelopes
    message = message_from_bytes(envelope.original_content or b"", policy=default)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@gw.example.net", ["ana@example.net"])
    assert message["Subject"] == "Factură Bcc: all@example.net" and message["Bcc"] is None
    assert message.get_content().replace("\r\n", "\n") == f"{NOTICE.body}\n"
    assert sent.message_id == message["Message-ID"] and sent.message_id.endswith("@gw.example.net>")


async def test_a_repeat_is_the_same_message() -> None:
    async with run_smtp_server() as made:
        assert await smtp_sender(made.port).send(NOTICE) == await smtp_sender(made.port).send(NOTICE)


ANSWERS: list[tuple[str, str, type[Failure]]] = [
    ("RCPT", "450 4.2.0 greylisted", NotNow),
    ("RCPT", "452 4.2.2 mailbox full", NotNow),
    ("RCPT", "451 4.3.2 system not accepting", TryLater),
    ("RCPT", "421 4.3.0 closing", TryLater),
    ("RCPT", "554 5.7.1 Relay access denied", Misconfigured),
    ("RCPT", "550 5.7.1 not on this list", Rejected),
    ("RCPT", "550 5.7.60 no permission to send as this sender", Misconfigured),
    ("MAIL", "553 5.7.1 sender address rejected", Misconfigured),
    ("MAIL", "550 no", Misconfigured),
    ("MAIL", "501 5.1.7 bad address", Misconfigured),
    ("DATA", "550 5.7.26 unauthenticated mail is prohibited", Misconfigured),
    ("DATA", "452 4.2.2 mailbox full", NotNow),
    ("RCPT", "550 nobody here", Rejected),
    ("MAIL", "421 closing", TryLater),
    ("MAIL", "530 log in first", Misconfigured),
    ("DATA", "452 full", TryLater),
    ("MAIL", "552 5.3.4 message size exceeds fixed limit", TooLarge),
    ("DATA", "552 5.2.3 message too long for this mailbox", TooLarge),
    ("DATA", "552 message exceeds the limit", TooLarge),
    ("RCPT", "552 mailbox full", Rejected),
    ("DATA", "554 spam", Rejected),
    ("DATA", "drop", OutcomeUnknown),
    ("DATA", "hang", OutcomeUnknown),
]


@pytest.mark.parametrize(("command", "answer", "failure"), ANSWERS)
async def test_answers_mean_what_the_table_says(command: str, answer: str, failure: type[Failure]) -> None:
    async with run_smtp_server(**{command: answer}) as made:
        with pytest.raises(failure) as raised:
            await smtp_sender(made.port, 0.5).send(NOTICE)
    assert type(raised.value) is failure and "ana@" not in str(raised.value)


async def test_a_refused_connection_means_try_later() -> None:
    with pytest.raises(TryLater):
        await smtp_sender(9, 1.0).send(NOTICE)


def test_the_url_says_how() -> None:
    box = parse_smtp_url("smtps://ana:p%40ss@mail.example.net", "a@b")
    assert (box.host, box.port, box.user, box.password, box.implicit_tls) == (
        "mail.example.net",
        465,
        "ana",
        "p@ss",
        True,
    )
    assert "p@ss" not in repr(box)


@pytest.mark.parametrize(
    "url", ["http://mail", "smtp://", "mail.example.net:25", "smtp://mail:99999", "smtp://mail:x", "smtp://["]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://"):
        parse_smtp_url(url, "a@b")
