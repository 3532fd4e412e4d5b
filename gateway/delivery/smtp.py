"""Sending e-mail: one message a call over SMTP, under a total deadline, failures in our words."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TryLater, Undelivered
from flows.domain.records import Notice
from gateway.providers.contract import Sent

NAME = "smtp"
PORTS = {"smtp": 587, "smtps": 465}
EXPECTED = "must be smtp://host:port or smtps://user:password@host"
ABOUT_US = frozenset({530, 534, 535, 538})
"""Replies about our login: no message fares better before a person has looked."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail leaves and whose it is."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    tls: bool
    """TLS from the first byte (`smtps`); otherwise STARTTLS when the server offers it."""
    sender: str
    """The From header, e.g. `Orange <no-reply@gw.example.net>`."""


def mailbox(url: str, sender: str) -> Mailbox:
    """`smtp[s]://[user:password@]host[:port]`; ValueError for anything else, without showing it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(EXPECTED) from None  # its message would show the address
    if not parts.hostname:
        raise ValueError(EXPECTED)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Mailbox(parts.hostname, port, user, password, parts.scheme == "smtps", sender)


class Mail:
    """Sends notices as e-mail to addresses its caller has seen validated."""

    def __init__(self, mailbox: Mailbox, deadline_seconds: float = 9.0) -> None:
        self._box = mailbox
        self._seconds = deadline_seconds

    async def send(self, notice: Notice) -> Sent:
        """See `Sender.send`. The Message-ID is made of the notice's key: a repeat is the same message."""
        message = written(notice, self._box.sender)
        attempt = _Attempt()
        try:
            async with asyncio.timeout(self._seconds):
                await self._through(message, notice.to, attempt)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _failure(error, attempt) from None  # its message may hold the address
        return Sent(NAME, str(message["Message-ID"]))

    async def close(self) -> None:
        """Nothing is kept open between messages."""

    async def _through(self, message: EmailMessage, to: str, attempt: "_Attempt") -> None:
        box = self._box
        client = aiosmtplib.SMTP(
            hostname=box.host,
            port=box.port,
            use_tls=box.tls,
            username=box.user or None,
            password=box.password or None,
            timeout=None,
        )
        try:
            await client.connect()
            await client.mail(parseaddr(box.sender)[1])
            await client.rcpt(to)
            attempt.given = True
            await client.data(message.as_bytes(policy=WIRE))
        finally:
            client.close()


@dataclass(slots=True)
class _Attempt:
    """How far one attempt got."""

    given: bool = False
    """Has the body begun to leave? From then on only the server's word says what became of it."""


def written(notice: Notice, sender: str) -> EmailMessage:
    """The notice as a message; its subject is kept to one line."""
    message = EmailMessage()
    message["From"], message["To"] = sender, notice.to
    message["Subject"] = " ".join(notice.subject.split()) or notice.operator
    message["Content-Language"] = notice.language
    mark = hashlib.sha256(notice.key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{mark}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.body)
    return message


def _failure(error: Exception, attempt: _Attempt) -> Undelivered:
    """By the server's code where it gave one: 4xx later, 5xx never; a lost line by how far we got."""
    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPResponseException) and isinstance(code, int) and code >= 400:
        return _refusal(code)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Misconfigured("the mail server does not offer what is needed")
    if attempt.given:
        return OutcomeUnknown("the connection broke off after DATA")
    return TryLater("no connection to the mail server")


def _refusal(code: int) -> Undelivered:
    if code in ABOUT_US:
        return Misconfigured(f"SMTP {code}")
    return TryLater(f"SMTP {code}") if code < 500 else Rejected(f"SMTP {code}")
