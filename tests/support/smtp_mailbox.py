"""SMTP mailbox server: a real relay on loopback that keeps what it takes, as unkind as a test wants it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope


@dataclass
class SmtpMailbox:
    """What a relay took, and how it answers before it does."""

    recipient_replies: list[str] = field(default_factory=list)
    """Replies to the next RCPT commands; `250 OK` afterwards."""
    text_replies: list[str] = field(default_factory=list)
    """Replies to the next texts; one that is not 250 drops the mail."""
    envelopes: list[Envelope] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        reply = self.recipient_replies.pop(0) if self.recipient_replies else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        reply = self.text_replies.pop(0) if self.text_replies else "250 OK"
        if reply.startswith("250"):
            self.envelopes.append(envelope)
        return reply

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Return the mails taken for an address, oldest first."""
        contents = [each.original_content or b"" for each in self.envelopes if address in each.rcpt_tos]
        mails = [message_from_bytes(each, policy=default) for each in contents]
        return [mail for mail in mails if isinstance(mail, EmailMessage)]


@asynccontextmanager
async def run_mailbox(max_bytes: int = 10_000_000) -> AsyncIterator[SmtpMailbox]:
    """Serve a mailbox whose relay announces a size limit (RFC 1870)."""
    mailbox = SmtpMailbox()
    async with serve_smtp(mailbox, data_size_limit=max_bytes) as mailbox.port:
        yield mailbox


@asynccontextmanager
async def serve_smtp(handler: Any, **options: Any) -> AsyncIterator[int]:
    """Serve an aiosmtpd handler as a relay on loopback and yield its port."""
    loop, protocols = asyncio.get_running_loop(), list[SMTP]()

    def build_protocol() -> SMTP:
        protocols.append(SMTP(handler, hostname="relay.example", loop=loop, **options))
        return protocols[-1]

    server = await loop.create_server(build_protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        await server.wait_closed()
        await asyncio.sleep(0)


def attachments_of(mail: EmailMessage) -> dict[str, bytes]:
    """Return a mail's attachments by file name."""
    return {str(each.get_filename()): each.get_content() for each in mail.iter_attachments()}


def text_of(mail: EmailMessage) -> str:
    """Return a mail's text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
